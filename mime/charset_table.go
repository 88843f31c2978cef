package mime

import (
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// tableFor names the golang.org/x/text decoder for a reduced label: the names
// and aliases of the IANA registry and those seen in mail. Where a label of a
// national standard is used for its Windows superset, the superset is taken.
func tableFor(key []byte) encoding.Encoding {
	if enc := europeanTable(key); enc != nil {
		return enc
	}
	if enc := asianTable(key); enc != nil {
		return enc
	}
	switch string(key) {
	case "utf16", "csutf16", "utf16be", "csutf16be", "unicodefffe":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM) // RFC 2781 §4.3
	case "utf16le", "csutf16le", "unicode", "ucs2", "iso10646ucs2":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case "utf32", "utf32be", "ucs4":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
	case "utf32le":
		return utf32.UTF32(utf32.LittleEndian, utf32.UseBOM)
	}
	return nil
}

// europeanTable knows the charsets of one octet for each character.
func europeanTable(key []byte) encoding.Encoding {
	if enc := isoTable(key); enc != nil {
		return enc
	}
	if enc := codePage(key); enc != nil {
		return enc
	}
	switch string(key) {
	case "koi8r", "koi8", "cskoi8r", "koi":
		return charmap.KOI8R
	case "koi8u", "koi8ru":
		return charmap.KOI8U
	case "macintosh", "mac", "xmacroman", "macroman", "csmacintosh":
		return charmap.Macintosh
	case "xmaccyrillic", "maccyrillic", "xmacukrainian":
		return charmap.MacintoshCyrillic
	}
	return nil
}

// isoTable knows the parts of ISO 8859 by name, number and registration
// number (isoir). ISO 8859-9 is read as windows-1254, a superset of it.
func isoTable(key []byte) encoding.Encoding {
	switch string(key) {
	case "iso88592", "latin2", "l2", "isoir101", "csisolatin2", "iso885921987":
		return charmap.ISO8859_2
	case "iso88593", "latin3", "l3", "isoir109", "csisolatin3", "iso885931988":
		return charmap.ISO8859_3
	case "iso88594", "latin4", "l4", "isoir110", "csisolatin4", "iso885941988":
		return charmap.ISO8859_4
	case "iso88595", "cyrillic", "isoir144", "csisolatincyrillic", "iso885951988":
		return charmap.ISO8859_5
	case "iso88596", "arabic", "isoir127", "ecma114", "asmo708", "csisolatinarabic", "iso885961987", "iso88596i", "iso88596e":
		return charmap.ISO8859_6
	case "iso88597", "greek", "greek8", "isoir126", "ecma118", "elot928", "csisolatingreek", "iso885971987":
		return charmap.ISO8859_7
	case "iso88598", "hebrew", "isoir138", "csisolatinhebrew", "iso885981988", "iso88598e", "visual", "iso88598i", "logical":
		return charmap.ISO8859_8 // RFC 1556: -i and -e differ in direction only
	case "iso88599", "latin5", "l5", "isoir148", "csisolatin5", "iso885991989", "windows1254", "cp1254", "xcp1254":
		return charmap.Windows1254
	case "iso885910", "latin6", "l6", "isoir157", "csisolatin6", "iso8859101992":
		return charmap.ISO8859_10
	case "iso885913":
		return charmap.ISO8859_13
	case "iso885914", "latin8", "l8", "isoceltic", "isoir199", "iso8859141998":
		return charmap.ISO8859_14
	case "iso885915", "latin9", "l9", "latin0":
		return charmap.ISO8859_15
	case "iso885916", "latin10", "l10", "isoir226", "iso8859162001":
		return charmap.ISO8859_16
	}
	return nil
}

// codePage knows the code pages of Windows, DOS and EBCDIC hosts.
func codePage(key []byte) encoding.Encoding {
	switch string(key) {
	case "windows1250", "cp1250", "xcp1250":
		return charmap.Windows1250
	case "windows1251", "cp1251", "xcp1251", "ansi1251":
		return charmap.Windows1251
	case "windows1253", "cp1253", "xcp1253":
		return charmap.Windows1253
	case "windows1255", "cp1255", "xcp1255":
		return charmap.Windows1255
	case "windows1256", "cp1256", "xcp1256":
		return charmap.Windows1256
	case "windows1257", "cp1257", "xcp1257":
		return charmap.Windows1257
	case "windows1258", "cp1258", "xcp1258":
		return charmap.Windows1258
	case "windows874", "cp874", "tis620", "iso885911", "dos874", "csiso885911":
		return charmap.Windows874
	case "ibm037", "cp037", "ebcdiccpus", "csibm037":
		return charmap.CodePage037
	case "ibm437", "cp437", "437", "cspc8codepage437":
		return charmap.CodePage437
	case "ibm850", "cp850", "850", "cspc850multilingual":
		return charmap.CodePage850
	case "ibm852", "cp852", "852", "cspcp852":
		return charmap.CodePage852
	case "ibm855", "cp855", "855", "csibm855":
		return charmap.CodePage855
	case "ibm858", "cp858", "858", "ibm00858", "pcmultilingual850euro":
		return charmap.CodePage858
	case "ibm860", "cp860", "860", "csibm860":
		return charmap.CodePage860
	case "ibm862", "cp862", "862", "cspc862latinhebrew", "dos862":
		return charmap.CodePage862
	case "ibm863", "cp863", "863", "csibm863":
		return charmap.CodePage863
	case "ibm865", "cp865", "865", "csibm865":
		return charmap.CodePage865
	case "ibm866", "cp866", "866", "csibm866":
		return charmap.CodePage866
	case "ibm1047", "cp1047":
		return charmap.CodePage1047
	case "ibm1140", "cp1140", "ibm01140":
		return charmap.CodePage1140
	}
	return nil
}

// asianTable knows the charsets of several octets for each character. Labels
// for a part of a national standard mean what its senders used: the largest
// superset.
func asianTable(key []byte) encoding.Encoding {
	switch string(key) {
	case "iso2022jp", "csiso2022jp", "iso2022jp1", "iso2022jp2", "iso2022jpms", "cp50220", "cp50221":
		return japanese.ISO2022JP // RFC 1468
	case "shiftjis", "sjis", "xsjis", "mskanji", "csshiftjis", "windows31j", "cswindows31j", "cp932", "ms932":
		return japanese.ShiftJIS
	case "eucjp", "xeucjp", "ujis", "cseucpkdfmtjapanese", "extendedunixcodepackedformatforjapanese":
		return japanese.EUCJP
	case "euckr", "cseuckr", "ksc56011987", "ksc5601", "ksc56011989", "isoir149", "korean",
		"csksc56011987", "cp949", "ms949", "uhc", "windows949", "xwindows949", "johab":
		return korean.EUCKR
	case "gb2312", "csgb2312", "gb231280", "csiso58gb231280", "isoir58", "chinese", "euccn",
		"xeuccn", "gbk", "xgbk", "cp936", "ms936", "windows936", "gb18030", "cngb":
		return simplifiedchinese.GB18030 // a superset of all of them
	case "hzgb2312", "hz":
		return simplifiedchinese.HZGB2312 // RFC 1843
	case "big5", "csbig5", "big5hkscs", "cnbig5", "xxbig5", "cp950", "ms950", "windows950", "xbig5":
		return traditionalchinese.Big5
	}
	return nil
}

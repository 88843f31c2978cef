package mime

// A fieldID is a field name the package knows.
type fieldID uint8

const (
	fieldOther fieldID = iota
	fieldBcc
	fieldCc
	fieldComments
	fieldContentDescription
	fieldContentDisposition
	fieldContentID
	fieldContentLanguage
	fieldContentLocation
	fieldContentMD5
	fieldTransferEncoding
	fieldContentType
	fieldDate
	fieldFrom
	fieldInReplyTo
	fieldKeywords
	fieldMessageID
	fieldMIMEVersion
	fieldReceived
	fieldReferences
	fieldReplyTo
	fieldReturnPath
	fieldSender
	fieldSubject
	fieldTo
)

// fieldNames holds the names in lower case, by id.
var fieldNames = [...]string{
	fieldBcc:                "bcc",
	fieldCc:                 "cc",
	fieldComments:           "comments",
	fieldContentDescription: "content-description",
	fieldContentDisposition: "content-disposition",
	fieldContentID:          "content-id",
	fieldContentLanguage:    "content-language",
	fieldContentLocation:    "content-location",
	fieldContentMD5:         "content-md5",
	fieldTransferEncoding:   "content-transfer-encoding",
	fieldContentType:        "content-type",
	fieldDate:               "date",
	fieldFrom:               "from",
	fieldInReplyTo:          "in-reply-to",
	fieldKeywords:           "keywords",
	fieldMessageID:          "message-id",
	fieldMIMEVersion:        "mime-version",
	fieldReceived:           "received",
	fieldReferences:         "references",
	fieldReplyTo:            "reply-to",
	fieldReturnPath:         "return-path",
	fieldSender:             "sender",
	fieldSubject:            "subject",
	fieldTo:                 "to",
}

// usualNames holds the names as nearly everyone writes them, so that giving one
// of them costs nothing.
var usualNames = [...]string{
	fieldBcc:                "Bcc",
	fieldCc:                 "Cc",
	fieldComments:           "Comments",
	fieldContentDescription: "Content-Description",
	fieldContentDisposition: "Content-Disposition",
	fieldContentID:          "Content-ID",
	fieldContentLanguage:    "Content-Language",
	fieldContentLocation:    "Content-Location",
	fieldContentMD5:         "Content-MD5",
	fieldTransferEncoding:   "Content-Transfer-Encoding",
	fieldContentType:        "Content-Type",
	fieldDate:               "Date",
	fieldFrom:               "From",
	fieldInReplyTo:          "In-Reply-To",
	fieldKeywords:           "Keywords",
	fieldMessageID:          "Message-ID",
	fieldMIMEVersion:        "MIME-Version",
	fieldReceived:           "Received",
	fieldReferences:         "References",
	fieldReplyTo:            "Reply-To",
	fieldReturnPath:         "Return-Path",
	fieldSender:             "Sender",
	fieldSubject:            "Subject",
	fieldTo:                 "To",
}

// singletons are the fields that may occur once: RFC 5322 §3.6 and RFC 2045 §3.
const singletons = 1<<fieldBcc | 1<<fieldCc | 1<<fieldContentDescription | 1<<fieldContentDisposition |
	1<<fieldContentID | 1<<fieldTransferEncoding | 1<<fieldContentType | 1<<fieldDate | 1<<fieldFrom |
	1<<fieldInReplyTo | 1<<fieldMessageID | 1<<fieldMIMEVersion | 1<<fieldReferences | 1<<fieldReplyTo |
	1<<fieldSender | 1<<fieldSubject | 1<<fieldTo

// fieldIDOf finds the id of a name, without regard to case. Length and first
// letter leave at most one name to compare with.
func fieldIDOf(name []byte) fieldID {
	id := fieldOther
	switch len(name) {
	case 2:
		id = pick(name, 'c', fieldCc, fieldTo)
	case 3:
		id = fieldBcc
	case 4:
		id = pick(name, 'd', fieldDate, fieldFrom)
	case 6:
		id = fieldSender
	case 7:
		id = fieldSubject
	case 8:
		switch toLower(name[2]) {
		case 'm':
			id = fieldComments
		case 'y':
			id = fieldKeywords
		case 'c':
			id = fieldReceived
		case 'p':
			id = fieldReplyTo
		}
	case 10:
		switch toLower(name[0]) {
		case 'm':
			id = fieldMessageID
		case 'r':
			id = fieldReferences
		case 'c':
			id = fieldContentID
		}
	case 11:
		switch toLower(name[0]) {
		case 'i':
			id = fieldInReplyTo
		case 'r':
			id = fieldReturnPath
		case 'c':
			id = fieldContentMD5
		}
	case 12:
		id = pick(name, 'c', fieldContentType, fieldMIMEVersion)
	case 16:
		id = pick(name[9:], 'a', fieldContentLanguage, fieldContentLocation)
	case 19:
		id = pick(name[9:], 'e', fieldContentDescription, fieldContentDisposition)
	case 25:
		id = fieldTransferEncoding
	}
	if id != fieldOther && equalFold(name, fieldNames[id]) {
		return id
	}
	return fieldOther
}

// pick returns a if name begins with c, else b.
func pick(name []byte, c byte, a, b fieldID) fieldID {
	if toLower(name[0]) == c {
		return a
	}
	return b
}

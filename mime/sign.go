package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Signer signs a message's content (RFC 1847 §2.1): S/MIME (RFC 8551 §3.5.3)
// and OpenPGP (RFC 3156) both work this way.
type Signer interface {
	// Sign reads the content in its canonical form, fields of the structure
	// included, and gives the second part: for OpenPGP the armoured signature,
	// for S/MIME the DER of it.
	Sign(content io.Reader) (signature []byte, err error)
	// Protocol is the media type of the signature, "application/pgp-signature".
	Protocol() string
	// MICAlg names the hash as the protocol does, "pgp-sha256", "sha-256".
	MICAlg() string
}

// Sign gives the same message as multipart/signed. Its content must survive the
// way unchanged, so a message with eight-bit parts is an error.
func (d *Draft) Sign(s Signer) (*Draft, error) {
	if d.eightBit {
		return nil, errors.New("mime: eight-bit content cannot be signed (RFC 1847 §2.1)")
	}
	if !isMediaType(s.Protocol()) || !isToken(s.MICAlg()) {
		return nil, fmt.Errorf("mime: bad protocol %q or hash %q", s.Protocol(), s.MICAlg())
	}
	r := newDraftReader(d.entity)
	defer r.Close()
	signature, err := s.Sign(r)
	if err != nil {
		return nil, fmt.Errorf("mime: signing: %w", err)
	}
	out := *d
	out.entity = d.around("signed", d.entity, sealedPart(s.Protocol(), signature), "protocol", s.Protocol(), "micalg", s.MICAlg())
	return &out, nil
}

// Encrypter encrypts a message's content (RFC 1847 §2.2).
type Encrypter interface {
	// Encrypt reads the content, fields of the structure included, and gives
	// what stands in the second part.
	Encrypt(content io.Reader) (sealed []byte, err error)
	// Protocol is the media type of the first part, "application/pgp-encrypted".
	Protocol() string
	// Control is the content of the first part, "Version: 1\r\n" for OpenPGP.
	Control() string
}

// Encrypt gives the same message as multipart/encrypted. The fields of the
// message itself, Subject among them, stay readable.
func (d *Draft) Encrypt(e Encrypter) (*Draft, error) {
	if !isMediaType(e.Protocol()) {
		return nil, fmt.Errorf("mime: bad protocol %q", e.Protocol())
	}
	r := newDraftReader(d.entity)
	defer r.Close()
	sealed, err := e.Encrypt(r)
	if err != nil {
		return nil, fmt.Errorf("mime: encrypting: %w", err)
	}
	control := leaf(e.Protocol(), "7bit", canonicalText(e.Control())).segments(nil)
	out := *d
	out.eightBit = false
	out.entity = d.around("encrypted", control, sealedPart("application/octet-stream", sealed), "protocol", e.Protocol())
	return &out, nil
}

// around makes a multipart of an entity as it is and a second part.
func (d *Draft) around(sub string, first []segment, second *entity, params ...string) []segment {
	in := []*entity{{pieces: first}, second}
	return newMultipart(sub, d.spare, in, params...).segments(nil)
}

// sealedPart is a signature or what was encrypted: as it is where it is armour,
// base64 otherwise. The names are those that readers expect (RFC 8551 §3.2.1).
func sealedPart(mediaType string, b []byte) *entity {
	var params []string
	switch strings.ToLower(mediaType) {
	case "application/pgp-signature":
		params = []string{"name", "signature.asc"}
	case "application/pkcs7-signature":
		params = []string{"name", "smime.p7s"}
	}
	if text := canonicalText(string(b)); bytes.HasPrefix(b, []byte("-----BEGIN ")) {
		if s := shapeOf(text); !s.eight && !s.long && !s.nul {
			return leaf(mediaType, "7bit", text, params...)
		}
	}
	return leaf(mediaType, "base64", appendBase64(nil, b), params...)
}

// leaf is a part whose body is ready to travel.
func leaf(mediaType, encoding string, body []byte, params ...string) *entity {
	w := &fieldWriter{}
	w.begin("Content-Type")
	w.token(mediaType)
	for i := 0; i+1 < len(params); i += 2 {
		w.param(params[i], params[i+1])
	}
	w.end()
	w.text("Content-Transfer-Encoding", encoding)
	return &entity{header: w.b, body: body}
}

package list

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// Held keeps posts until an owner has decided about them. IDs are ten lower-case
// letters and digits. The methods may be called concurrently. [Memory] and [Dir]
// are two.
type Held interface {
	// Hold keeps a post, durable on nil where the store is. One that is there
	// already under the ID stays as it is: what an owner has seen is what he lets
	// through.
	Hold(ctx context.Context, id string, env smtp.Envelope, body io.Reader) error
	// Open gives a post; the error is fs.ErrNotExist for one that is gone.
	Open(ctx context.Context, id string) (smtp.Envelope, Blob, error)
	// Drop forgets a post, which may be gone.
	Drop(ctx context.Context, id string) error
}

// Blob is the body of a post.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64 // in bytes
}

// hold keeps the post and asks the owners.
func (v *visit) hold(why string) error {
	id := v.heldID()
	accept, discard, err := v.decisions(id)
	if err != nil {
		return err
	}
	// First it is kept, then it is told of. If telling fails the message comes again
	// and finds itself held: the owners hear of it in the end.
	if err := v.Held.Hold(v.ctx, id, v.env, io.NewSectionReader(v.body, 0, v.body.Size())); err != nil {
		return err
	}
	from, _ := v.from()
	n := Notice{Kind: Decide, List: v.list, Member: from, Reply: accept, Other: discard, Why: why, Post: v.msg}
	if err := v.tellOwners(v.ctx, n); err != nil {
		return err
	}
	return v.answer(PostHeld)
}

// heldID names a post, the same one if it comes again since a later step failed.
//
// The ID of the envelope is the server's, so nobody can choose one that another
// post has. Where there is none, an author can only repeat himself.
func (v *visit) heldID() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d", v.list.Address.Address(), v.env.ID, v.msg.Header().MessageID(), v.body.Size())
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)))[:10]
}

// heldDomain is where IDs of posts live in tokens.
const heldDomain = "held"

// decisions are the addresses by which an owner decides.
func (v *visit) decisions(id string) (accept, discard smtp.Path, err error) {
	p, err := smtp.ParsePath(id + "@" + heldDomain)
	if err != nil {
		return accept, discard, err
	}
	if accept, err = v.Rewriter.VERP(v.list.at("-accept"), p); err != nil {
		return accept, discard, err
	}
	if discard, err = v.Rewriter.VERP(v.list.at("-discard"), p); err != nil {
		return accept, discard, err
	}
	// A list with a very long name has no room for them.
	if orig, _, _ := v.Rewriter.Reverse(discard); orig != p {
		return accept, discard, smtp.Reject(550, "5.7.2", "Not accepted by this list")
	}
	return accept, discard, nil
}

// decided is the ID that an owner's answer is about; "" if nothing is to be done.
func (v *visit) decided(suffix string) (string, error) {
	if v.Rewriter == nil || v.Held == nil {
		return "", errToken
	}
	if v.env.From.IsNull() || autoReplied(v.msg.Header()) {
		return "", nil
	}
	p, err := v.holder(v.Rewriter, suffix)
	if err == nil && p.Domain() != heldDomain {
		err = errToken
	}
	return p.Local(), err
}

// accept sends a post to all members. A second answer finds nothing any more.
func (v *visit) accept() error {
	id, err := v.decided("-accept")
	if err != nil || id == "" {
		return err
	}
	if !v.busy.begin(id) {
		return errors.New("list: somebody else decides about the post at this moment")
	}
	defer v.busy.end(id)
	env, blob, err := v.Held.Open(v.ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer blob.Close()
	post := *v
	post.owners = true
	post.env, post.body = env, io.NewSectionReader(blob, 0, blob.Size())
	if post.msg, err = mime.ParseAt(post.body, post.body.Size()); err != nil {
		return err
	}
	// It is dropped when it is queued. If that fails, or we die between the two, the
	// owner's answer comes again and the post goes out twice, rather than not at all.
	if err := post.distribute(); err != nil {
		return err
	}
	return v.Held.Drop(v.ctx, id)
}

// discard drops a post, and tells nobody: most of what is held is spam.
func (v *visit) discard() error {
	id, err := v.decided("-discard")
	if err != nil || id == "" {
		return err
	}
	return v.Held.Drop(v.ctx, id)
}

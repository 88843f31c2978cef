package smtp

import "maps"

// Values carries what middlewares tell each other, by typed keys. The zero
// value is empty and ready. It is not safe for concurrent use: the funcs of a
// [Handler] are called one after the other for each connection.
type Values struct{ m map[any]any }

// Key is the name of a value of type T; see [NewKey].
type Key[T any] struct{ id *byte }

// NewKey makes a key that equals no other. Keep it in a package variable.
func NewKey[T any]() Key[T] { return Key[T]{new(byte)} }

// Set stores x in v.
func (k Key[T]) Set(v *Values, x T) {
	if v.m == nil {
		v.m = make(map[any]any)
	}
	v.m[k] = x
}

// Get gives what was stored; ok is false where nothing was.
func (k Key[T]) Get(v *Values) (x T, ok bool) {
	x, ok = v.m[k].(T)
	return x, ok
}

// clone is a copy for another goroutine; the values themselves are shared.
func (v Values) clone() Values { return Values{maps.Clone(v.m)} }

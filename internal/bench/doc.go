// Package bench is the module in which the library is measured beside others
// of the field. It is a module of its own, so that nothing measured against
// becomes a dependency of the library.
//
//	cd internal/bench && go test -bench . ./...
package bench

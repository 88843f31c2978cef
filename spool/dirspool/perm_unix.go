//go:build !windows

package dirspool

// permsMatter: the bits say who may write.
const permsMatter = true

//go:build !race

package dirspool

const raceEnabled = false

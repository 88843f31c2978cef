//go:build race

package dirspool

const raceEnabled = true

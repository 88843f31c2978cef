//go:build !race

package spf_test

const raceEnabled = false

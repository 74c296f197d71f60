//go:build race

package benchtest_test

const raceDetector = true

package docstest

import (
	"fmt"
	"strings"
	"testing"
)

// source is a Go file, its lines without indentation and trailing space.
type source struct {
	name  string
	lines []string
}

// Each Go block is cut from one compiled file. The indentation may differ. A
// line that is only an ellipsis, in a comment or not, stands for omitted lines.
func TestGoBlocksAreCompiled(t *testing.T) {
	var sources []source
	for _, name := range files(t, ".go") {
		sources = append(sources, source{name, trimmed(read(t, name))})
	}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "go" {
				continue
			}
			if problem := misfit(b, sources); problem != "" {
				t.Errorf("%s:%s", p.name, problem)
			}
		}
	}
}

func trimmed(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

// piece is a run of lines of a block.
type piece struct {
	at    int // the index in the block of its first line
	lines []string
}

func pieces(b block) []piece {
	var all []piece
	current := piece{}
	flush := func(next int) {
		// Blank lines next to an ellipsis are only layout.
		for len(current.lines) > 0 && current.lines[0] == "" {
			current.at, current.lines = current.at+1, current.lines[1:]
		}
		for n := len(current.lines); n > 0 && current.lines[n-1] == ""; n-- {
			current.lines = current.lines[:n-1]
		}
		if len(current.lines) > 0 {
			all = append(all, current)
		}
		current = piece{at: next}
	}
	for i, line := range trimmed(b.lines) {
		switch line {
		case "...", "…", "// ...", "// …":
			flush(i + 1)
		default:
			current.lines = append(current.lines, line)
		}
	}
	flush(0)
	return all
}

// misfit returns where a block differs from the nearest file, or "" if it fits
// a file.
func misfit(b block, sources []source) string {
	best, problem := -1, ""
	for _, s := range sources {
		from, matched := 0, 0
		for i, piece := range pieces(b) {
			at, n := nearest(s.lines, from, piece.lines)
			matched += n
			if n == len(piece.lines) {
				from = at + n
				if i == len(pieces(b))-1 {
					return ""
				}
				continue
			}
			if matched > best {
				best = matched
				has := "the end of the file"
				if at+n < len(s.lines) {
					has = fmt.Sprintf("%q", s.lines[at+n])
				}
				problem = fmt.Sprintf("%d: no compiled file contains this; the nearest is %s:%d\n\tthe page has %q\n\tthe file has %s",
					b.line+piece.at+n, s.name, at+n+1, piece.lines[n], has)
			}
			break
		}
	}
	if problem == "" {
		return fmt.Sprintf("%d: the block is empty", b.line)
	}
	return problem
}

// nearest finds where most of the piece's first lines are in the file, at or
// after a line, and how many they are.
func nearest(file []string, from int, piece []string) (at, n int) {
	at = from
	for i := from; i < len(file); i++ {
		m := 0
		for m < len(piece) && i+m < len(file) && sameLine(piece[m], file[i+m]) {
			m++
		}
		if m > n {
			at, n = i, m
		}
		if n == len(piece) {
			break
		}
	}
	return at, n
}

// A page shows a program if the file has an Example, which differs only in its
// name.
func sameLine(shown, compiled string) bool {
	return shown == compiled || shown == "func main() {" && compiled == "func Example() {"
}

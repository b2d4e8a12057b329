package cache

import (
	"iter"
	"strings"
)

// listMembers goes through the members of a list field over all its lines (RFC
// 9110, section 5.6.1): trimmed, without empty ones, commas in quoted strings
// heeded.
func listMembers(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for line != "" {
				member := line[:endOfMember(line, ',')]
				line = line[min(len(member)+1, len(line)):]
				if member = strings.Trim(member, " \t"); member != "" && !yield(member) {
					return
				}
			}
		}
	}
}

// endOfMember returns where the first separator outside of quoted strings
// stands, len(s) if there is none.
func endOfMember(s string, separator byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == separator && !quoted:
			return i
		}
	}
	return len(s)
}

// splitParameters cuts a member at its semicolons; the parts are trimmed, and
// there is at least one.
func splitParameters(member string) []string {
	var parts []string
	for {
		end := endOfMember(member, ';')
		parts = append(parts, strings.Trim(member[:end], " \t"))
		if end == len(member) {
			return parts
		}
		member = member[end+1:]
	}
}

// normalList joins the members of a list field.
func normalList(lines []string) string {
	var b strings.Builder
	for member := range listMembers(lines) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(member)
	}
	return b.String()
}

package config

import (
	"fmt"
	"slices"
	"strings"
)

// didYouMean returns ` (did you mean "x"?)` for the known word nearest to the
// given one, or nothing when none is near.
func didYouMean(given string, known []string) string {
	best, distance := "", 1+max(1, len(given)/3)
	sorted := slices.Sorted(slices.Values(known))
	for _, k := range sorted {
		if d := editDistance(given, k, distance); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance counts inserted, deleted, replaced and swapped bytes; it gives
// up at limit. Spelling with - for _ or another case costs nothing.
func editDistance(a, b string, limit int) int {
	a, b = plainWord(a), plainWord(b)
	if len(a) > len(b)+limit || len(b) > len(a)+limit {
		return limit
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}

func plainWord(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// choices lists words for a message: a, b or c.
func choices(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

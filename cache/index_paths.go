package cache

import "strings"

// maxCuts is how deep a path may be for its ancestors to be looked up one by
// one. Real paths have less than 20; a made-up one must not cost thousands of
// lookups, so deeper ones count as matched.
const maxCuts = 64

// cutAbove returns the path above a folded one, folded too: it is cut at its
// last "/" or "(". Only "/" and texts that are no path have none.
func cutAbove(path string) (above string, ok bool) {
	i := strings.LastIndexAny(path, "/(")
	if i < 0 {
		return "", false
	}
	if above = strings.TrimRight(path[:i], "/"); above != "" {
		return above, true
	}
	return "/", path != "/" && path[0] == '/'
}

// standsAbove reports whether cutting path often enough gives above, or path is
// above itself.
func standsAbove(above, path string) bool {
	if above == path {
		return true
	}
	if above == "/" {
		return len(path) > 0 && path[0] == '/'
	}
	return above != "" && len(path) > len(above) && path[:len(above)] == above &&
		(path[len(above)] == '/' || path[len(above)] == '(')
}

package bulkhead

import (
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// FindLimit returns the bytes that the process may use: the smaller of what its
// control groups allow (version 1 and 2) and GOMEMLIMIT, 0 if neither is set.
// root is the root of the file system, os.DirFS("/").
func FindLimit(root fs.FS) int64 {
	limit := debug.SetMemoryLimit(-1)
	if group := groupLimit(root); group > 0 {
		limit = min(limit, group)
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// groupLimit returns the smallest limit of the process's control group and all
// above it, 0 if there is none. In a container the groups above may be hidden,
// and its own be at the root.
func groupLimit(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0 // not Linux
	}
	smallest := int64(0)
	for line := range strings.Lines(string(groups)) {
		dir, file, group, ok := memoryGroup(strings.TrimSpace(line))
		if !ok {
			continue
		}
		for {
			if limit := readLimit(root, path.Join(dir, group, file)); limit > 0 && (smallest == 0 || limit < smallest) {
				smallest = limit
			}
			if group == "/" {
				break
			}
			group = path.Dir(group)
		}
	}
	return smallest
}

// memoryGroup reads a line of /proc/self/cgroup, HIERARCHY:CONTROLLERS:GROUP
// (cgroups(7)): version 2 has hierarchy 0 and no controllers.
func memoryGroup(line string) (dir, file, group string, ok bool) {
	hierarchy, rest, _ := strings.Cut(line, ":")
	controllers, group, found := strings.Cut(rest, ":")
	if !found {
		return "", "", "", false
	}
	group = path.Clean("/" + group)
	switch {
	case hierarchy == "0" && controllers == "":
		return "sys/fs/cgroup", "memory.max", group, true
	case strings.Contains(","+controllers+",", ",memory,"):
		return "sys/fs/cgroup/memory", "memory.limit_in_bytes", group, true
	}
	return "", "", "", false
}

// noLimit is above every real limit: version 1 writes the largest number of
// whole pages where there is none.
const noLimit = 1 << 60

func readLimit(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0 // hidden, or none at the root of all groups
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || limit >= noLimit { // "max"
		return 0
	}
	return limit
}

package slow

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Resident returns the bytes of memory that a process occupies (Linux): now, and
// the most that it ever did.
func Resident(pid int) (now, most int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("the memory of a process: %w", err)
	}
	return resident(string(text))
}

// resident reads proc_pid_status(5).
func resident(status string) (now, most int64, err error) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		var into *int64
		switch name {
		case "VmRSS":
			into = &now
		case "VmHWM":
			into = &most
		default:
			continue
		}
		number, isKB := strings.CutSuffix(strings.TrimSpace(value), " kB")
		if *into, err = strconv.ParseInt(number, 10, 64); err != nil || !isKB {
			return 0, 0, fmt.Errorf("the memory of a process: %q", line)
		}
		*into <<= 10
	}
	if now == 0 || most == 0 {
		return 0, 0, fmt.Errorf("the memory of a process: no VmRSS or VmHWM in %q", status)
	}
	return now, most, nil
}

// Connections returns how many connections to a local port a process's network
// holds open, by the IPv4 address of the other end (Linux). Those that the
// process has closed count no more, whatever the kernel has still to send on
// them.
func Connections(pid int, port uint16) (map[netip.Addr]int, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		return nil, fmt.Errorf("the connections of a process: %w", err)
	}
	defer func() { _ = file.Close() }() // was only read
	// The kernel tells some twice where others come and go meanwhile.
	seen := map[netip.AddrPort]bool{}
	open := map[netip.Addr]int{}
	lines := bufio.NewScanner(file)
	lines.Scan() // the names of the columns
	for lines.Scan() {
		local, remote, held, err := socket(lines.Text())
		if err != nil {
			return nil, err
		}
		if held && local.Port() == port && !seen[remote] {
			seen[remote] = true
			open[remote.Addr()]++
		}
	}
	return open, lines.Err()
}

// States of a socket that a process holds (proc_pid_net(5)).
const (
	established = "01"
	closeWait   = "08"
)

// socket reads a line of proc_pid_net(5).
func socket(line string) (local, remote netip.AddrPort, held bool, err error) {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return local, remote, false, fmt.Errorf("a socket: %q", line)
	}
	if local, err = endpoint(fields[1]); err != nil {
		return local, remote, false, err
	}
	remote, err = endpoint(fields[2])
	return local, remote, fields[3] == established || fields[3] == closeWait, err
}

// endpoint reads an address as the kernel writes it on a little-endian machine:
// 0100007F:1F90 is 127.0.0.1:8080.
func endpoint(text string) (netip.AddrPort, error) {
	ip, port, _ := strings.Cut(text, ":")
	address, err1 := strconv.ParseUint(ip, 16, 32)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil {
		return netip.AddrPort{}, fmt.Errorf("the address of a socket: %q", text)
	}
	a := uint32(address)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(a), byte(a >> 8), byte(a >> 16), byte(a >> 24)}), uint16(number)), nil
}

//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package proxy

import "syscall"

// readable reports whether the kernel has something to be read at once: bytes,
// the end, or an error. It takes nothing away and may be called beside a Read.
func (c *countedConn) readable() bool {
	if c.control == nil {
		return false
	}
	c.peek.Lock()
	defer c.peek.Unlock()
	if c.look == nil { // made once: a func that is made anew would go to the heap
		c.look = func(fd uintptr) {
			_, _, err := syscall.Recvfrom(int(fd), c.one[:], syscall.MSG_PEEK)
			c.found = err != syscall.EAGAIN && err != syscall.EINTR
		}
	}
	return c.control.Control(c.look) != nil || c.found
}

package bulkhead

import "runtime/metrics"

// The parts of the runtime's memory, as runtime/metrics names them.
const (
	memoryTotal    = "/memory/classes/total:bytes"
	memoryReleased = "/memory/classes/heap/released:bytes"
	memoryFree     = "/memory/classes/heap/free:bytes"
)

// InUse returns the bytes that the process uses, as far as the runtime knows:
// everything that it has mapped (objects, stacks, its own books), without what
// it has given back to the kernel, and without the free spans that it holds.
// The kernel counts the latter, too, but they are what the next requests will
// be served from, and the runtime gives them back as it comes near its goal; to
// count them would refuse work for memory that nobody uses.
//
// Not in it, and the reason why no more than nine tenths of a limit are used:
// sockets' buffers, the binary and what it maps.
func InUse() int64 {
	samples := []metrics.Sample{{Name: memoryTotal}, {Name: memoryReleased}, {Name: memoryFree}}
	metrics.Read(samples)
	var parts [3]uint64
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			parts[i] = s.Value.Uint64()
		}
	}
	return int64(parts[0] - min(parts[0], parts[1]+parts[2]))
}

package cache

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stateObject is an answer as an upstream gives it: every text is an allocation
// of its own, as after decoding.
func stateObject(path string, size int) *Object {
	own := strings.Clone
	h := http.Header{}
	for name, value := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Etag": `"5f2b` + path + `"`, "Cache-Control": "private",
		"Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT", "Date": "Sun, 22 Nov 2026 08:00:00 GMT",
	} {
		h[name] = []string{own(value)}
	}
	return &Object{
		Key:      Key(own("production\x00catalogs\x00GET\x00" + path + "\x00authenticated\x00main\x00rule 1")),
		Selected: own("application/json\x00\x00gzip"),
		Status:   http.StatusOK, Header: h, Body: make([]byte, size),
		Requested: time.Now(), Received: time.Now(), terms: terms{Lifetime: time.Hour},
		Route: Route{Service: ServiceName{"production", "catalogs"}, Path: own(path)},
	}
}

// with returns a changed copy.
func (o *Object) with(change func(o *Object)) *Object {
	other := *o
	change(&other)
	return &other
}

func TestMemoryGivesWhatWasPut(t *testing.T) {
	m := newMemory(1<<20, nil)
	o := stateObject("/v1/items/1", 1000)
	if !m.put(o) {
		t.Fatal("refused")
	}
	got := m.get(o.Key, o.Selected)
	if got == nil || &got.Body[0] != &o.Body[0] || got.Header.Get("Etag") != o.Header.Get("Etag") {
		t.Fatalf("got %+v", got)
	}
	if o.checked != nil || got.checked == nil {
		t.Error("the copy of the memory is the one that is marked")
	}
	for name, miss := range map[string]*Object{
		"another key":     m.get(o.Key+"x", o.Selected),
		"another variant": m.get(o.Key, "text/html"),
	} {
		if miss != nil {
			t.Errorf("%s: %+v", name, miss)
		}
	}
	m.store.Invalidate(o.Key)
	if m.get(o.Key, o.Selected) != nil || m.bytes() != 0 || m.bytesOf(o.Route.Service) != 0 {
		t.Errorf("%d bytes after the drop", m.bytes())
	}
}

func TestMemoryReplacesTheSameVariant(t *testing.T) {
	m := newMemory(1<<20, nil)
	o := stateObject("/v1/items/1", 1000)
	m.put(o)
	one := m.bytes()
	m.put(o.with(func(o *Object) { o.Body = make([]byte, 1000); o.Body[0] = 7 }))
	if got := m.get(o.Key, o.Selected); got.Body[0] != 7 || len(m.variants(o.Key)) != 1 {
		t.Errorf("%d variants", len(m.variants(o.Key)))
	}
	if m.bytes() != one || m.bytesOf(o.Route.Service) != one {
		t.Errorf("%d bytes, then %d, of the service %d", one, m.bytes(), m.bytesOf(o.Route.Service))
	}
}

func TestMemoryKeepsSixteenVariants(t *testing.T) {
	m := newMemory(1<<20, nil)
	base := stateObject("/v1/items/1", 100)
	variant := func(i int) string { return fmt.Sprintf("accept-language: %d", i) }
	for i := range maxVariants {
		m.put(base.with(func(o *Object) { o.Selected = variant(i) }))
	}
	for i := range maxVariants { // 3 was used least recently, then 4
		if i != 3 && i != 4 {
			m.get(base.Key, variant(i))
		}
	}
	m.get(base.Key, variant(4))
	m.put(base.with(func(o *Object) { o.Selected = variant(100) }))
	if m.get(base.Key, variant(3)) != nil || m.get(base.Key, variant(4)) == nil || m.get(base.Key, variant(100)) == nil {
		t.Error("not the least recently used variant went")
	}
	for i := range 10_000 {
		m.put(base.with(func(o *Object) { o.Selected = variant(1000 + i) }))
		m.get(base.Key, variant(100)) // one that is asked for stays
	}
	if n := len(m.variants(base.Key)); n != maxVariants || m.get(base.Key, variant(100)) == nil {
		t.Errorf("%d variants", n)
	}
}

func TestMemoryRefusesWhatIsTooBig(t *testing.T) {
	m := newMemory(1<<20, nil)
	for size, want := range map[int]bool{100 << 10: true, 130 << 10: false, 4 << 20: false} {
		if got := m.put(stateObject(fmt.Sprint("/", size), size)); got != want {
			t.Errorf("%d bytes of 1 MiB: %t", size, got)
		}
	}
	if newMemory(0, nil).put(stateObject("/v1", 0)) {
		t.Error("a memory without room took something")
	}
	// Variants together do not fill the memory either.
	base := stateObject("/v1/items", 120<<10)
	for i := range maxVariants {
		m.put(base.with(func(o *Object) { o.Selected = fmt.Sprint(i) }))
	}
	if n := len(m.variants(base.Key)); n < 2 || n > 4 {
		t.Errorf("%d variants of 120 KiB in 1 MiB", n)
	}
}

func TestMemoryLetsGoOfTheUseless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var evicted int64
		m := newMemory(1<<20, func(n int64) { evicted += n })
		plain := stateObject("/plain", 100).with(func(o *Object) {
			o.Header = http.Header{}
			o.Lifetime, o.Age, o.IfError, o.WhileRevalidate = time.Minute, 10*time.Second, time.Minute, 30*time.Second
		})
		confirmable := stateObject("/confirmable", 100).with(func(o *Object) { o.Lifetime = time.Minute })
		m.put(plain)
		m.put(confirmable)
		for _, step := range []struct {
			wait               time.Duration
			plain, confirmable bool
		}{{109 * time.Second, true, true}, {2 * time.Second, false, true}, {time.Hour, false, false}} {
			<-time.After(step.wait)
			m.tidy()
			if (m.get(plain.Key, plain.Selected) != nil) != step.plain || (m.get(confirmable.Key, plain.Selected) != nil) != step.confirmable {
				t.Errorf("after %v more: want %+v", step.wait, step)
			}
		}
		if m.bytes() != 0 || m.len() != 0 || evicted != 0 {
			t.Errorf("%d bytes, %d keys, %d evicted", m.bytes(), m.len(), evicted)
		}
		if m.put(plain) {
			t.Error("took what is of no use any more")
		}
	})
}

func TestMemoryMaximumCanBeChanged(t *testing.T) {
	var evicted int64
	var mu sync.Mutex
	m := newMemory(4<<20, func(n int64) { mu.Lock(); evicted += n; mu.Unlock() })
	for i := range 2000 {
		m.put(stateObject(fmt.Sprint("/", i), 1000))
	}
	m.tidy()
	before := m.bytes()
	mu.Lock()
	evicted = 0
	mu.Unlock()
	m.setMaximum(1 << 20)
	if m.bytes() > 1<<20 {
		t.Errorf("%d bytes of 1 MiB", m.bytes())
	}
	mu.Lock()
	defer mu.Unlock()
	if evicted != before-m.bytes() {
		t.Errorf("%d bytes went, %d were told", before-m.bytes(), evicted)
	}
}

// What the memory accounts for is what the heap grows by.
func TestAccountedBytes(t *testing.T) {
	for _, size := range []int{1 << 10, 5000, 50 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			n := 32 << 20 / (size + 1500)
			m := newMemory(1<<30, nil)
			for i := range 2 * n { // the tables have their final size before the measure
				m.put(stateObject(fmt.Sprint("/v1/companies(1)/warm/", i), 10))
			}
			before, accounted := heapInUse(), m.bytes()
			for i := range n {
				m.put(stateObject(fmt.Sprint("/v1/companies(1)/items/", i), size))
			}
			grown, accounted := heapInUse()-before, m.bytes()-accounted
			if ratio := float64(accounted) / float64(grown); ratio < 0.9 || ratio > 1.1 {
				t.Errorf("%d objects: %d bytes each accounted, %d grown (%.3f)", n, accounted/int64(n), grown/int64(n), ratio)
			} else {
				t.Logf("%d objects: %d bytes each accounted, %d grown (%.3f)", n, accounted/int64(n), grown/int64(n), ratio)
			}
			runtime.KeepAlive(m)
		})
	}
}

// Small objects, from an empty memory: the tables count too.
func TestAccountedBytesOfAll(t *testing.T) {
	before := heapInUse()
	m := newMemory(1<<30, nil)
	for i := range 50_000 {
		m.put(stateObject(fmt.Sprint("/v1/companies(1)/items/", i), 200))
	}
	m.tidy()
	grown := heapInUse() - before
	ratio := float64(m.bytes()) / float64(grown)
	t.Logf("accounted %d, grown %d (%.3f)", m.bytes(), grown, ratio)
	if ratio < 0.9 || ratio > 1.1 {
		t.Errorf("%.3f of the growth is accounted", ratio)
	}
	runtime.KeepAlive(m)
}

func heapInUse() int64 {
	var s runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// A million URLs pass by, from several callers at once.
func TestMemoryStaysInBounds(t *testing.T) {
	const bound, callers = 16 << 20, 4
	urls := 100_000
	if *Long {
		urls = 1_000_000
	}
	m := newMemory(bound, nil)
	base := stateObject("/", 0)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(c)))
			for i := range urls / callers {
				path := fmt.Sprint("/v1/", c, "/", i)
				m.put(base.with(func(o *Object) {
					o.Key, o.Route.Path, o.Body = Key(path), path, make([]byte, r.IntN(4000))
				}))
				if used := m.bytes(); used > bound*11/10 {
					t.Errorf("%d bytes of %d", used, bound)
					return
				}
			}
		})
	}
	all.Wait()
	m.tidy()
	var sum int64
	for _, r := range m.store.All() {
		sum += r.weight
	}
	if sum != m.bytes() || sum < bound*9/10 || m.bytesOf(base.Route.Service) != sum {
		t.Errorf("%d bytes are there, %d accounted, %d of the service, of %d", sum, m.bytes(), m.bytesOf(base.Route.Service), bound)
	}
}

func TestMemoryHitAllocatesNothing(t *testing.T) {
	m := newMemory(1<<20, nil)
	base := stateObject("/v1/items/1", 1000)
	m.put(base)
	m.put(base.with(func(o *Object) { o.Selected = "other" }))
	turn := 0
	if n := testing.AllocsPerRun(10_000, func() {
		if turn++; m.get(base.Key, [...]string{base.Selected, "other"}[turn%2]) == nil {
			t.Fatal("gone")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMemoryIsConcurrent(t *testing.T) {
	m := newMemory(1<<20, nil)
	base := stateObject("/", 1000)
	var all sync.WaitGroup
	for c := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(c)))
			for range 5000 {
				key, selected := Key(fmt.Sprint(r.IntN(200))), fmt.Sprint(r.IntN(20))
				switch r.IntN(20) {
				case 0:
					m.store.Invalidate(key)
				case 1, 2, 3:
					m.put(base.with(func(o *Object) { o.Key, o.Selected = key, selected }))
				default:
					if o := m.get(key, selected); o != nil && (o.Key != key || o.Selected != selected) {
						t.Errorf("asked for %q %q, got %q %q", key, selected, o.Key, o.Selected)
					}
				}
			}
		})
	}
	all.Wait()
	m.tidy()
	var sum int64
	for _, r := range m.store.All() {
		sum += r.weight
	}
	if sum != m.bytes() || m.bytes() > 1<<20 {
		t.Errorf("%d bytes are there, %d accounted", sum, m.bytes())
	}
}

// BenchmarkMemory beside what the least store costs.
func BenchmarkMemory(b *testing.B) {
	m := newMemory(1<<24, nil)
	bare := sync.Map{}
	var keys []Key
	for i := range 1000 {
		o := stateObject(fmt.Sprint("/v1/items/", i), 1000)
		m.put(o)
		bare.Store(o.Key, o)
		keys = append(keys, o.Key)
	}
	selected := "application/json\x00\x00gzip"
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if m.get(keys[i%len(keys)], selected) == nil {
					b.Error("gone")
				}
			}
		})
	})
	b.Run("sync.Map", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, ok := bare.Load(keys[i%len(keys)]); !ok {
					b.Error("gone")
				}
			}
		})
	})
	b.Run("put", func(b *testing.B) {
		b.ReportAllocs()
		o := stateObject("/v1/items/1", 1000)
		for b.Loop() {
			m.put(o)
		}
	})
}

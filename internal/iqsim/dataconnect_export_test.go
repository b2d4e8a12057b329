package iqsim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The fast way writes what row by row encoding writes.
func TestDCExportBlocksEqualRows(t *testing.T) {
	for _, query := range []string{
		"Response=Json", "Response=JsonDataTable", "Response=Xml", "Response=XmlDataTable", "Response=Csv",
		"Response=Csv&CSV.Delimiter=;", "Response=Csv&CSV.Delimiter=%20", "Response=Csv&CSV.Delimiter=-",
		"Response=Csv&CSV.Delimiter=.&CSV.Headers=0", "Response=Csv&CSV.Delimiter=%C2%A6",
	} {
		for _, rows := range []int64{1, 2, 3, 255, 256, 257, 258, 512, 513, 1000} {
			f, err := parseDCFormat(parseDCQuery(query))
			if err != nil {
				t.Fatal(err)
			}
			table := dcExport{rows: rows, pad: 7}.table()
			var fast, slow bytes.Buffer
			if err := f.write(&fast, table); err != nil {
				t.Fatal(err)
			}
			if err := writeRows(&slow, f.encoder, table); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(fast.Bytes(), slow.Bytes()) {
				t.Errorf("%s: %d rows differ", query, rows)
			}
		}
	}
}

func TestDCExportHasItsSize(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	for _, format := range []string{"Json", "JsonDataTable", "Xml", "XmlDataTable", "Csv"} {
		for size := 3000; size < 3000+260; size += 37 {
			a := b.get(t, fmt.Sprintf("/reports/export?Size=%d&Response=%s", size, format))
			if a.status != http.StatusOK || len(a.body) != size {
				t.Fatalf("%s: status %d, %d bytes, want %d", format, a.status, len(a.body), size)
			}
			if err := wellFormed(format, a.body); err != nil {
				t.Errorf("%s of %d bytes: %v", format, size, err)
			}
		}
	}
}

func wellFormed(format, body string) error {
	switch {
	case strings.HasPrefix(format, "Json"):
		var v any
		return json.Unmarshal([]byte(body), &v)
	case strings.HasPrefix(format, "Xml"):
		return xml.Unmarshal([]byte(body), new(struct{}))
	default:
		_, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		return err
	}
}

// A client can compute what an export has to be.
func TestDCExportIsKnownBeforehand(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	for _, format := range []string{"Json", "Csv"} {
		const size = 5<<20 + 123
		want := sha256.New()
		if err := WriteExport(want, format, size); err != nil {
			t.Fatal(err)
		}
		res, err := b.client.Do(b.request(t, http.MethodGet, fmt.Sprintf("/reports/export?Response=%s&Size=%d", format, size), ""))
		if err != nil {
			t.Fatal(err)
		}
		got := sha256.New()
		n, err := io.Copy(got, res.Body)
		res.Body.Close()
		if err != nil || n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("%s: %d bytes, %v, equal: %v", format, n, err, bytes.Equal(got.Sum(nil), want.Sum(nil)))
		}
		if res.ContentLength != -1 {
			t.Errorf("%s is not chunked: length %d", format, res.ContentLength)
		}
	}
}

func TestDCExportRows(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	rows := b.get(t, "/reports/export?Rows=600").rows(t)
	if len(rows) != 600 {
		t.Fatalf("%d rows", len(rows))
	}
	seen := map[float64]bool{}
	for _, row := range rows {
		seen[row["InvoiceID"].(float64)] = true
	}
	if len(seen) != 600 || !seen[exportFirstID] || !seen[exportFirstID+599] {
		t.Errorf("%d different ids", len(seen))
	}
	if n := len(b.get(t, "/reports/export").rows(t)); n != 1000 {
		t.Errorf("%d rows without a number", n)
	}
}

func TestDCExportLimits(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	for query, want := range map[string]string{
		"Rows=0":                     "Rows must be between 1 and 9000000000, not 0",
		"Rows=9000000001":            "Rows must be between",
		"Rows=many":                  "Rows must be a whole number",
		"Rows=1048577":               "about 1048577 rows",
		"Size=10":                    "Size must be between",
		"Size=-1":                    "Size must be between",
		"Size=9e9":                   "Size must be a whole number",
		"Size=9223372036854775807":   "Size must be between",
		"Size=100000&Response=Excel": "not possible with a workbook",
	} {
		b.get(t, "/reports/export?"+query).wantError(t, http.StatusBadRequest, want)
	}
	if a := b.do(t, b.request(t, http.MethodHead, "/reports/export?Rows=1048576", "")); a.status != http.StatusOK {
		t.Errorf("the limit itself: %d", a.status)
	}
	b.configure(DataConnectOptions{RowLimit: -1})
	if a := b.do(t, b.request(t, http.MethodHead, "/reports/export?Rows=9000000000", "")); a.status != http.StatusOK {
		t.Errorf("without a limit: %d", a.status)
	}
}

func TestWriteExportRefuses(t *testing.T) {
	for _, err := range []error{
		WriteExport(io.Discard, "Pdf", 1e6), WriteExport(io.Discard, "Csv", 1), WriteExport(io.Discard, "Excel", 1e6),
	} {
		if err == nil {
			t.Error("no error")
		}
	}
}

// heapWatch finds how much the live heap grows beyond what it is at first.
type heapWatch struct{ idle, peak uint64 }

func watchHeap() *heapWatch {
	h := &heapWatch{}
	h.sample()
	h.idle = h.peak
	return h
}

func (h *heapWatch) sample() {
	runtime.GC() // what earlier tests left behind is not counted
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.peak = max(h.peak, m.HeapAlloc)
}

func (h *heapWatch) wantBelow(t *testing.T, limit uint64) {
	t.Helper()
	if grown := h.peak - h.idle; grown > limit {
		t.Errorf("the heap grew by %d MiB, limit %d", grown>>20, limit>>20)
	}
}

func TestDCExportInConstantMemory(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	const size, step = 256 << 20, 32 << 20
	for _, format := range []string{"Csv", "Json"} {
		heap := watchHeap()
		res, err := b.client.Do(b.request(t, http.MethodGet, fmt.Sprintf("/reports/export?Response=%s&Size=%d", format, size), ""))
		if err != nil {
			t.Fatal(err)
		}
		var n int64
		for n < size && err == nil {
			var read int64
			read, err = io.CopyN(io.Discard, res.Body, step)
			n += read
			heap.sample()
		}
		res.Body.Close()
		if err != nil || n != size {
			t.Fatalf("%s: %d bytes, %v", format, n, err)
		}
		heap.wantBelow(t, 8<<20)
	}
}

// Rows that are encoded one by one need no more memory either.
func TestDCRowsInConstantMemory(t *testing.T) {
	for _, query := range []string{"Response=Excel", "Response=Xml"} {
		format, err := parseDCFormat(parseDCQuery(query))
		if err != nil {
			t.Fatal(err)
		}
		table := dcExport{rows: 20_000}.table()
		table.export = nil // as for any other report
		rows, heap, n := table.rows, watchHeap(), 0
		table.rows = func(yield func([]dcCell) bool) {
			for row := range rows {
				if n++; n%5000 == 0 {
					heap.sample()
				}
				if !yield(row) {
					return
				}
			}
		}
		if err := format.write(io.Discard, table); err != nil || n != 20_000 {
			t.Fatalf("%s: %d rows, %v", query, n, err)
		}
		heap.wantBelow(t, 4<<20)
	}
}

// A client that leaves ends the export within a second, and its slot is free.
func TestDCExportIsCancelled(t *testing.T) {
	for name, o := range map[string]DataConnectOptions{
		"at full speed": {},
		"in a pause":    {ChunkPause: Duration(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			b := startDC(t, o)
			res, err := b.client.Do(b.request(t, http.MethodGet, "/reports/export?Size=500000000000&Response=Csv", ""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(res.Body, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if s := b.stats(); s.Active != 1 || s.Cancelled != 0 {
				t.Errorf("while it runs: %+v", s)
			}
			res.Body.Close()
			s := b.waitForDC(t, func(s DataConnectStats) bool { return s.Active == 0 })
			if s.Cancelled != 1 || s.Completed != 0 || s.BytesSent == 0 {
				t.Errorf("afterwards: %+v", s)
			}
		})
	}
}

func TestDCHoldIsCancelled(t *testing.T) {
	b := startDC(t, DataConnectOptions{Hold: Duration(time.Hour)})
	ctx, leave := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		res, err := b.client.Do(b.request(t, http.MethodGet, "/lists/stores", "").WithContext(ctx))
		if err == nil {
			res.Body.Close()
		}
		answered <- err
	}()
	b.waitForDC(t, func(s DataConnectStats) bool { return s.Active == 1 })
	leave()
	if err := <-answered; err == nil {
		t.Error("answered")
	}
	b.waitForDC(t, func(s DataConnectStats) bool { return s.Active == 0 && s.Cancelled == 1 })
}

// An answer that is cut never looks complete.
func TestDCCutExportHasNoEnd(t *testing.T) {
	d := newDC(DataConnectOptions{})
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("panic %v", err)
		}
		if s := d.stats(); s.Cancelled != 1 || s.Completed != 0 || s.Active != 0 {
			t.Errorf("%+v", s)
		}
	}()
	r, err := http.NewRequestWithContext(withCall(t.Context(), call{Account: "ann", Token: "t"}), http.MethodGet, "/reports/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	d.ServeHTTP(brokenWriter{}, r)
	t.Error("finished")
}

type brokenWriter struct{}

func (brokenWriter) Header() http.Header       { return http.Header{} }
func (brokenWriter) WriteHeader(int)           {}
func (brokenWriter) Write([]byte) (int, error) { return 0, errFull }

func BenchmarkDCExport(b *testing.B) {
	for _, format := range []string{"Csv", "Json"} {
		b.Run(format, func(b *testing.B) {
			const size = 16 << 20
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if err := WriteExport(io.Discard, format, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDCRows is the price of a row that is encoded by itself.
func BenchmarkDCRows(b *testing.B) {
	for name, enc := range map[string]dcEncoder{
		"json": jsonEncoder{}, "csv": csvEncoder{delimiter: ","}, "xml": xmlEncoder{}, "sheet": sheetEncoder{},
	} {
		b.Run(name, func(b *testing.B) {
			table := dcExport{rows: 1}.table()
			row := dcExport{rows: 2}.row(0)
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = enc.row(buf[:0], table, row, false)
			}
		})
	}
}

func BenchmarkDCExportOverHTTP(b *testing.B) {
	server := startDC(b, DataConnectOptions{})
	const size = 64 << 20
	b.SetBytes(size)
	for b.Loop() {
		res, err := server.client.Do(server.request(b, http.MethodGet, fmt.Sprintf("/reports/export?Response=Csv&Size=%d", size), ""))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
			b.Fatal(n, err)
		}
		res.Body.Close()
	}
}

package iqsim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestDCWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := dcWait(t.Context(), time.Minute); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { leave(gone) })
		start = time.Now()
		if err := dcWait(ctx, time.Hour); !errors.Is(err, gone) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := dcWait(ctx, 0); !errors.Is(err, gone) {
			t.Errorf("a wait of nothing hides %v", err)
		}
	})
}

func TestDCPacerPausesBetweenChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := pacer(t.Context(), time.Second)
		for n := range 4 {
			start := time.Now()
			if err := ready(); err != nil {
				t.Fatal(err)
			}
			want := time.Second
			if n == 0 {
				want = 0
			}
			if took := time.Since(start); took != want {
				t.Errorf("chunk %d waited %v, want %v", n, took, want)
			}
		}
	})
}

func TestDCSink(t *testing.T) {
	tests := []struct {
		name    string
		chunk   int
		flushed bool
	}{
		{"a short answer waits for its end", 100, false},
		{"a chunk goes out at once", flushSize, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			var sent atomic.Int64
			sink := &dcSink{w: w, sent: &sent, ready: func() error { return nil }}
			n, err := sink.Write(bytes.Repeat([]byte("x"), tt.chunk))
			if n != tt.chunk || err != nil || sent.Load() != int64(tt.chunk) || w.Flushed != tt.flushed {
				t.Errorf("%d, %v, sent %d, flushed %v", n, err, sent.Load(), w.Flushed)
			}
		})
	}
	left := &dcSink{w: httptest.NewRecorder(), sent: new(atomic.Int64), ready: func() error { return errFull }}
	if n, err := left.Write([]byte("x")); n != 0 || !errors.Is(err, errFull) || left.sent.Load() != 0 {
		t.Errorf("after the client left: %d, %v", n, err)
	}
}

// chunks keeps the sizes of what is written.
type chunks struct {
	sizes []int
	all   bytes.Buffer
}

func (c *chunks) Write(p []byte) (int, error) {
	c.sizes = append(c.sizes, len(p))
	return c.all.Write(p)
}

func TestDCRowsAreChunked(t *testing.T) {
	for _, rows := range []int64{0, 1, 100, 5000} {
		table := dcTable{columns: dcExport{rows: 1}.table().columns, rows: dcRows()}
		if rows > 0 {
			table.rows = dcExport{rows: rows}.all()
		}
		var got chunks
		if err := writeRows(&got, jsonEncoder{}, table); err != nil {
			t.Fatal(err)
		}
		for i, size := range got.sizes {
			if last := i == len(got.sizes)-1; !last && size < chunkSize || size > chunkSize+1024 {
				t.Errorf("%d rows: chunk %d has %d bytes", rows, i, size)
			}
		}
		if n := strings.Count(got.all.String(), `"InvoiceID"`); int64(n) != rows {
			t.Errorf("%d rows, want %d", n, rows)
		}
	}
}

func TestDCRowsStopAtAnError(t *testing.T) {
	made := 0
	rows := dcExport{rows: 100_000}.all()
	table := dcExport{rows: 1}.table()
	table.rows = func(yield func([]dcCell) bool) {
		for row := range rows {
			if made++; !yield(row) {
				return
			}
		}
	}
	if err := writeRows(&shortWriter{room: 3 * chunkSize}, csvEncoder{delimiter: ","}, table); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if made > 5000 {
		t.Errorf("%d rows were made for a client that left", made)
	}
}

func TestDCExportStopsAtAnError(t *testing.T) {
	x := dcExport{rows: exportMaxRows}
	for _, room := range []int{0, 10, 100_000} {
		if err := x.write(&shortWriter{room: room}, csvEncoder{delimiter: ","}, x.table()); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: %v", room, err)
		}
	}
}

func TestDCCells(t *testing.T) {
	tests := []struct {
		cell dcCell
		want string
	}{
		{cellNull(), "null"},
		{cellText(""), ""},
		{cellText("a b"), "a b"},
		{cellInt(-7), "-7"},
		{cellCents(0), "0.00"},
		{cellCents(7), "0.07"},
		{cellCents(-7), "-0.07"},
		{cellCents(123456), "1234.56"},
		{cellBool(true), "true"},
		{cellBool(false), "false"},
		{cellTime(time.Date(2016, 1, 26, 14, 55, 53, 227e6, time.FixedZone("", -6*3600))), "2016-01-26T20:55:53.227"},
	}
	for _, tt := range tests {
		if got := string(tt.cell.appendPlain([]byte("+"))); got != "+"+tt.want {
			t.Errorf("%+v is %q, want %q", tt.cell, got, tt.want)
		}
	}
}

func TestDCEncodersAllocateNothing(t *testing.T) {
	table := dcExport{rows: 1}.table()
	row := dcExport{rows: 2}.row(0)
	buf := make([]byte, 0, 4096)
	for _, enc := range []dcEncoder{jsonEncoder{}, csvEncoder{delimiter: ";"}, xmlEncoder{}, sheetEncoder{}} {
		if n := testing.AllocsPerRun(50, func() { buf = enc.row(buf[:0], table, row, false) }); n > 0 {
			t.Errorf("%T: %v allocations a row", enc, n)
		}
	}
}

// FuzzDCEncoders puts any text through every text format.
func FuzzDCEncoders(f *testing.F) {
	for _, seed := range []string{"", "plain", `a"b,c;d`, "<&>'", "\x00\x1f\x7f", "é\u2028\ufffd", "\xff\xfe", "a\r\nb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		table := smallTable("x", []dcColumn{{"A", "nvarchar", 9}, {"B", "int", 0}}, []dcCell{cellText(s), cellInt(1)})
		for _, format := range []string{"Json", "JsonDataTable", "Xml", "XmlDataTable", "Csv"} {
			if err := wellFormed(format, encode(t, "Response="+format, table)); err != nil {
				t.Errorf("%s of %q: %v", format, s, err)
			}
		}
	})
}

func ExampleWriteExport() {
	var want strings.Builder
	if err := WriteExport(&want, "Csv", 250); err != nil {
		fmt.Println(err)
	}
	_, row, _ := strings.Cut(want.String(), "\r\n")
	fmt.Println(want.Len(), strings.TrimSpace(row))
	// Output: 250 1000000000,84WEAIN15624,2019-10-01T18:00:00.000,Kentel 001,Employee 101,ACCEPR002000,Galaxy Case 000,1,10.00,xxxxxxxxxxxxxxxxxxxxxxx
}

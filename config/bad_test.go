package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/internal/goldentest"
)

// fakeFiles is a file system in memory.
type fakeFiles map[string]string

func (f fakeFiles) ReadFile(name string, limit int64) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("no such file")}
	}
	if int64(len(text)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("too large")}
	}
	return []byte(text), nil
}

func (f fakeFiles) Glob(pattern string) ([]string, error) {
	var names []string
	for name := range f {
		if ok, err := filepath.Match(pattern, name); err != nil {
			return nil, err
		} else if ok {
			names = append(names, name)
		}
	}
	return names, nil
}

func badEnviron() []string {
	return []string{"S=c4n4ry", "EMPTY=", "LINES=c4n4ry\nsecond", "SHORT_KEY=c2hvcnQ=", "NO_KEY=c4n4ry, no base64"}
}

const wantMark = "\n# want: "

// Every file of testdata/bad is refused with exactly the lines that stand
// behind "# want:" at its end, and no message holds a secret.
func TestBadConfigurations(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(names) < 60 {
		t.Fatalf("%d files, error %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			document, _, _ := strings.Cut(string(text), wantMark)
			_, _, err = Load(LoadOptions{
				Path: "gateway.yaml", Data: []byte(document), Environ: badEnviron(),
				Files: fakeFiles{"/here/file": "x"},
			})
			if _, ok := errors.AsType[Problems](err); !ok {
				t.Fatalf("error %v is no Problems", err)
			}
			if strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("the message holds a secret: %v", err)
			}
			goldentest.Compare(t, name, document+wantMark+strings.ReplaceAll(err.Error(), "\n", wantMark)+"\n")
		})
	}
}

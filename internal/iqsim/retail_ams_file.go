package iqsim

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
)

func readFile(part *multipart.Part) (name, mime string, data []byte, err error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(part, maxAssetSize+1))
	if err != nil {
		return "", "", nil, fmt.Errorf("read the file: %w", err)
	}
	if n > maxAssetSize {
		return "", "", nil, fmt.Errorf("file %q is larger than %d bytes", part.FileName(), maxAssetSize)
	}
	mime = part.Header.Get("Content-Type")
	if mime == "" {
		mime = "application/octet-stream"
	}
	return part.FileName(), mime, b.Bytes(), nil
}

func (s *retail) getAsset(_ *http.Request, c captures) answer {
	a, ok := s.assets.get(c["id"])
	if !ok {
		return notFound()
	}
	return replyJSON(http.StatusOK, a.fields)
}

func (s *retail) redirectImage(r *http.Request, c captures) answer {
	if _, ok := s.assets.get(c["id"]); !ok {
		return notFound()
	}
	return answer{status: http.StatusSeeOther}.with("Location", fileURL(r, c["id"]))
}

func (s *retail) getFile(_ *http.Request, c captures) answer {
	a, ok := s.assets.get(c["id"])
	if !ok {
		return notFound()
	}
	return answer{status: http.StatusOK, contentType: a.mime, body: a.data}
}

// fileURL is absolute, as the provider's links to assets are.
func fileURL(r *http.Request, id string) string {
	base := callFrom(r.Context()).BaseURL
	if base == "" {
		base = "https://ams.iqmetrix.net"
	}
	return base + "/images/" + id + "/content"
}

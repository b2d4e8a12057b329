package iqsim

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"sync"
)

const (
	maxAssets    = 256     // the shelf drops its oldest asset beyond
	maxAssetSize = 8 << 20 // bytes
)

// asset is one uploaded file.
type asset struct {
	fields document
	mime   string
	data   []byte
}

// assetShelf keeps uploaded files in memory, the newest maxAssets of them.
type assetShelf struct {
	mu    sync.Mutex
	byID  map[string]asset
	order []string
}

func (s *assetShelf) put(id string, a asset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[string]asset{}
	}
	if len(s.order) == maxAssets {
		delete(s.byID, s.order[0])
		s.order = s.order[1:]
	}
	s.byID[id] = a
	s.order = append(s.order, id)
}

func (s *assetShelf) get(id string) (asset, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.byID[id]
	return a, ok
}

// ams serves assets: uploads of exactly one file, metadata by GUID, and images
// by a 303 to an absolute URL, which a gateway has to rewrite.
func (s *retail) ams() *router {
	rt := &router{}
	rt.handle(http.MethodPost, "/assets", s.uploadAsset)
	rt.handle(http.MethodGet, "/assets/{id}", s.getAsset)
	rt.handle(http.MethodGet, "/images/{id}", s.redirectImage)
	rt.handle(http.MethodGet, "/images/{id}/content", s.getFile)
	return rt
}

func (s *retail) uploadAsset(r *http.Request, _ captures) answer {
	name, mime, data, err := singleFile(r)
	if err != nil {
		return message(http.StatusBadRequest, err.Error())
	}
	id := s.newID()
	sum := md5.Sum(data)
	fields := document{
		"id": id, "name": name, "mimeType": mime, "height": 145, "width": 240,
		"md5Checksum": hex.EncodeToString(sum[:]), "href": fileURL(r, id),
	}
	s.assets.put(id, asset{fields, mime, data})
	return replyJSON(http.StatusOK, fields)
}

var errOneFile = refusedError{http.StatusBadRequest, "Exactly one file must be uploaded as multipart/form-data"}

// singleFile reads the one file of a multipart body; other parts are ignored.
func singleFile(r *http.Request) (name, mime string, data []byte, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return "", "", nil, errOneFile
	}
	files := 0
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", "", nil, errOneFile
		}
		if part.FileName() == "" {
			continue
		}
		files++
		if name, mime, data, err = readFile(part); err != nil {
			return "", "", nil, err
		}
	}
	if files != 1 {
		return "", "", nil, errOneFile
	}
	return name, mime, data, nil
}

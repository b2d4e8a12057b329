package iqsim

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

var errPaging = errors.New("paging parameters must be whole numbers of zero or more")

// window is the part of a list that a request asks for.
type window struct {
	skip, top int
}

// parseWindow reads $skip and $top, with or without the $ (the documentation
// shows both). A top above the limit is clamped in silence, as crm does.
func parseWindow(q url.Values, top, limit int) (window, error) {
	skip, err := wholeParam(q, 0, "$skip", "skip")
	if err != nil {
		return window{}, err
	}
	top, err = wholeParam(q, top, "$top", "top")
	if err != nil {
		return window{}, err
	}
	return window{skip, min(top, limit)}, nil
}

// parsePage reads Page (from 1) and PageSize, as catalogs does.
func parsePage(q url.Values, size, limit int) (page, pageSize int, err error) {
	page, err = wholeParam(q, 1, "Page")
	if err != nil {
		return 0, 0, err
	}
	pageSize, err = wholeParam(q, size, "PageSize")
	if err != nil {
		return 0, 0, err
	}
	return max(page, 1), min(max(pageSize, 1), limit), nil
}

// cut returns the window's part of list.
func cut[T any](list []T, w window) []T {
	from := min(w.skip, len(list))
	return list[from : from+min(w.top, len(list)-from)]
}

// param returns the first of the named query parameters that is there;
// upper and lower case are the same, because the services mix them.
func param(q url.Values, names ...string) string {
	for _, name := range names {
		if v := q.Get(name); v != "" {
			return v
		}
	}
	for key, values := range q {
		for _, name := range names {
			if strings.EqualFold(key, name) && len(values) > 0 {
				return values[0]
			}
		}
	}
	return ""
}

func wholeParam(q url.Values, otherwise int, names ...string) (int, error) {
	text := param(q, names...)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errPaging
	}
	return n, nil
}

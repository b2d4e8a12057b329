package main

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed ui
var uiFiles embed.FS

// uiPolicy lets the page load its own files, ask its own server, and nothing
// else; no other page may hold it in a frame.
const uiPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// dashboard serves the page of the admin server. It has no data of its own: the
// page asks the admin API, with the token that whoever looks at it types in.
func dashboard() http.Handler {
	files, err := fs.Sub(uiFiles, "ui")
	if err != nil { // cannot happen: the folder is embedded above
		return http.NotFoundHandler()
	}
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", uiPolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		server.ServeHTTP(w, r)
	})
}

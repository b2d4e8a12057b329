package observability

import (
	"net/http"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// pathProfiles is where profiles are, as Go's tools expect them.
const pathProfiles = "/debug/pprof/"

const (
	cpuProfile        = "profile"
	defaultCPUSeconds = 30
	maxCPUSeconds     = 60 // the server ends answers after two minutes
)

// profiles serves Go's profiles of the process: /debug/pprof/profile?seconds=30
// of its CPU, and those of [pprof.Profiles] by their names. The standard
// handler is not used: it registers itself for every server of the process, and
// shows the command line, which may hold secrets.
func profiles(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, pathProfiles)
	if name == cpuProfile {
		profileCPU(w, r)
		return
	}
	p := pprof.Lookup(name)
	if p == nil {
		names := []string{cpuProfile}
		for _, p := range pprof.Profiles() {
			names = append(names, p.Name())
		}
		WriteProblem(w, http.StatusNotFound, "there is no such profile; "+pathProfiles+" has "+strings.Join(names, ", "))
		return
	}
	debug, _ := strconv.Atoi(r.URL.Query().Get("debug"))
	w.Header().Set("Content-Type", "application/octet-stream")
	if debug > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	_ = p.WriteTo(w, debug)
}

// profileCPU watches the CPU until the time is over, or whoever asks has gone.
func profileCPU(w http.ResponseWriter, r *http.Request) {
	seconds := defaultCPUSeconds
	if text := r.URL.Query().Get("seconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxCPUSeconds {
			WriteProblem(w, http.StatusBadRequest, "seconds is a number from 1 to "+strconv.Itoa(maxCPUSeconds))
			return
		}
		seconds = n
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		WriteProblem(w, http.StatusConflict, "the CPU is being profiled for somebody else: try again in a minute")
		return
	}
	defer pprof.StopCPUProfile()
	over := time.NewTimer(time.Duration(seconds) * time.Second)
	defer over.Stop()
	select {
	case <-over.C:
	case <-r.Context().Done():
	}
}

package redisstore

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// keepState is how long a bucket is remembered after the last Ask: what
	// was learned of its limit and windows outlives a quiet weekend.
	keepState = 7 * 24 * time.Hour
	// keepHistory is how long records of windows are kept after the last one.
	keepHistory = 24 * time.Hour
	// historyLength is how many records are kept.
	historyLength = 60
	// maxState is what a bucket's state may hold, in bytes: several times that
	// of 16 replicas with 64 callers each. A foreign giant never crosses the
	// wire.
	maxState = 1 << 20
)

//go:embed lua
var lua embed.FS // the scripts' text

// serverClock is the only clock: replicas' clocks are never compared.
const serverClock = `
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`

// scripts are the only way in which the Store touches Redis: one per method,
// so that each decision and its write are one step for all replicas.
type scripts struct{ acquire, view, block *redis.Script }

// decision are the files that the three scripts share, in the order of their
// dependence; each is named after the Go file of limiter that it repeats.
func decision() []string {
	return []string{
		"shared", "shared_follow", "shared_merge", "shared_seen", "shared_pace", "shared_avail",
		"shared_demand", "shared_fill", "shared_grant", "shared_answer", "shared_view", "ask", "answer", "state",
	}
}

func newScripts(clock string) scripts {
	constants := fmt.Sprintf("local keep_state, keep_history, history_length, max_state = %d, %d, %d, %d\n",
		keepState.Milliseconds(), keepHistory.Milliseconds(), historyLength, maxState)
	script := func(entry string) *redis.Script {
		var text strings.Builder
		text.WriteString(constants + clock)
		for _, name := range append(decision(), entry) {
			part, err := lua.ReadFile("lua/" + name + ".lua")
			if err != nil {
				panic("a part of the scripts is missing: " + err.Error())
			}
			text.Write(part)
		}
		return redis.NewScript(text.String())
	}
	return scripts{acquire: script("acquire"), view: script("view"), block: script("block")}
}

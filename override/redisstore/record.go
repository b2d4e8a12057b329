package redisstore

import (
	"encoding/json"
	"fmt"
	"time"

	"iqgateway/override"
)

// record is one override as it is sealed. Times are Redis' own, in microseconds.
type record struct {
	ID          string `json:"id"`
	Key         string `json:"key"`
	Value       string `json:"value"`
	Reason      string `json:"reason"`
	By          string `json:"by"`
	Replica     string `json:"replica"`
	UntilReload bool   `json:"until_reload,omitempty"`
	Config      string `json:"config,omitempty"`
	Set         int64  `json:"set"`
	Ends        int64  `json:"ends"`
}

// document is all that is stored.
type document struct {
	Format    int      `json:"format"`
	Overrides []record `json:"overrides"`
}

// format is increased when older replicas could misread a document.
const format = 1

func encode(all []override.Override, now int64) ([]byte, error) {
	d := document{Format: format, Overrides: []record{}}
	for _, o := range all {
		d.Overrides = append(d.Overrides, record{
			o.ID, o.Key, o.Value, o.Reason, o.By, o.Replica, o.UntilReload, o.Config, now - o.Age.Microseconds(), now + o.Left.Microseconds(),
		})
	}
	plain, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("override/redisstore: encoding overrides: %w", err)
	}
	return plain, nil
}

func decode(plain []byte, now int64) ([]override.Override, error) {
	var d document
	if err := json.Unmarshal(plain, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}
	if d.Format != format {
		return nil, fmt.Errorf("%w: format %d", errDocument, d.Format)
	}
	var all []override.Override
	for _, r := range d.Overrides {
		if r.Ends <= now || len(all) >= override.Most {
			continue
		}
		all = append(all, override.Override{
			ID: r.ID, Key: r.Key, Value: r.Value, Reason: r.Reason, By: r.By, Replica: r.Replica, UntilReload: r.UntilReload, Config: r.Config,
			Age: span(max(0, now-r.Set)), Left: span(r.Ends - now),
		})
	}
	return all, nil
}

// span keeps microseconds in the range of what an override may last.
func span(micros int64) time.Duration {
	return time.Duration(min(micros, override.Longest.Microseconds())) * time.Microsecond
}

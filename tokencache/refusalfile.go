package tokencache

import "time"

// readFile learns, once for each set of secrets, what is on file.
func (e *entry) readFile() {
	e.mu.Lock()
	key, read := e.key, e.onFile.read
	e.mu.Unlock()
	if read {
		return
	}
	now := time.Now()
	refusals, err := e.cache.dir().load(key, now)
	if err != nil {
		e.cache.options.Hooks.historyFailed(e.id, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if key != e.key || e.onFile.read {
		return
	}
	e.onFile.read = true
	if len(refusals) == 0 {
		return
	}
	e.onFile.written = true
	told := History{Refusals: refusals, LastError: "refused before the last restart"}
	e.setHistoryLocked(merge(e.history, told, e.forgiven, now))
}

// writeFile puts refusals on file; also where there is a Store, which may be
// gone when they matter.
func (e *entry) writeFile(key StoreKey, refusals []Refusal) {
	if e.cache.dir() == "" {
		return
	}
	e.mu.Lock()
	e.onFile.written = e.onFile.written || key == e.key
	e.mu.Unlock()
	if err := e.cache.dir().save(key, refusals); err != nil {
		e.cache.options.Hooks.historyFailed(e.id, err)
	}
}

// tidyFile removes the file once nothing is held against the credential.
func (e *entry) tidyFile() {
	e.mu.Lock()
	key, tidy := e.key, e.onFile.written && len(e.history.Refusals) == 0
	if tidy {
		e.onFile.written = false
	}
	e.mu.Unlock()
	if tidy {
		e.forgetFile(key)
	}
}

func (e *entry) forgetFile(key StoreKey) {
	if err := e.cache.dir().remove(key); err != nil {
		e.cache.options.Hooks.historyFailed(e.id, err)
	}
}

func (c *Cache) dir() historyDir { return historyDir(c.options.Dir) }

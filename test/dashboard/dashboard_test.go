package dashboard_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"iqgateway/test/rig"
)

const (
	bucket  = "production/crm/authenticated"
	spent   = `Number([...document.querySelectorAll("#quotas tbody tr")].find((r) => r.cells[0].firstChild.textContent === "` + bucket + `")?.cells[2].textContent.replace(",", "") ?? -1)`
	row     = `[...document.querySelectorAll("#quotas tbody tr")].find((r) => r.cells[0].firstChild.textContent === "` + bucket + `").innerText`
	breaker = `[...document.querySelectorAll("#breakers tbody tr")].find((r) => r.cells[0].firstChild.textContent === "production/crm").innerText`
	noWider = `document.documentElement.scrollWidth <= innerWidth`
)

// Each has a gateway and a tab of its own; starting a browser is dear.
func TestDashboard(t *testing.T) {
	browser := newBrowser(t)
	for name, test := range map[string]func(context.Context, *testing.T){
		"an operator acts": operatorActs, "who only reads": readsAndReconnects, "keyboard on a phone": keyboardOnPhone,
	} {
		t.Run(name, func(t *testing.T) { test(browser, t) })
	}
}

// An operator sees quota move, and what the page is told to do holds at the
// gateway.
func operatorActs(browser context.Context, t *testing.T) {
	s := newSubject(t)
	s.load(t)
	p := s.open(browser, t, 1280, 900, false)

	p.do(t, chromedp.SendKeys(chromedp.ID("token"), "wrong\r"))
	p.becomes(t, `document.getElementById("refused").textContent.includes("admin.token") && sessionStorage.length === 0`)
	p.login(t, token)
	p.becomes(t, spent+" > 5")
	before := eval[int](t, p, spent)
	p.becomes(t, spent+" > "+strings.TrimSpace(eval[string](t, p, `String(`+spent+`)`)))
	if after := eval[int](t, p, spent); after <= before {
		t.Errorf("quota has not moved: %d, then %d", before, after)
	}
	p.becomes(t, row+`.includes("storefront") && `+row+`.includes("reporting")`)
	p.becomes(t, `document.querySelectorAll("#refusals tbody tr").length > 0`)
	p.becomes(t, `Number(document.querySelector("#cache tbody tr").cells[3].textContent) > 0`)
	p.screenshot(t, "light")

	p.press(t, "quotas", bucket, "Block…")
	p.do(t, chromedp.WaitVisible(chromedp.ID("ask")), chromedp.SetValue(chromedp.ID("ask-for"), "soon"),
		chromedp.SetValue(chromedp.ID("ask-reason"), "the provider asked for calm"), chromedp.Click(chromedp.ID("ask-do")))
	p.becomes(t, `document.getElementById("ask-problem").textContent.includes("soon")`)
	p.screenshot(t, "block")
	p.fill(t, map[string]string{"for": "10m"})
	rig.Must(t, s.becomes(p.tab, customers, func(status int, _ string) bool { return status >= http.StatusTooManyRequests }))
	p.becomes(t, row+`.includes("the provider asked for calm")`)
	p.press(t, "quotas", bucket, "Unblock…")
	p.fill(t, map[string]string{"reason": "calm enough"})
	rig.Must(t, s.becomes(p.tab, customers, func(status int, _ string) bool { return status == http.StatusOK }))

	p.press(t, "breakers", "production/crm", "Open…")
	p.fill(t, map[string]string{"reason": "a test"})
	rig.Must(t, s.becomes(p.tab, customers, func(status int, _ string) bool { return status == http.StatusServiceUnavailable }))
	p.becomes(t, breaker+`.includes("forced open")`)
	p.press(t, "breakers", "production/crm", "Reset…")
	p.fill(t, map[string]string{"reason": "the test is over"})
	rig.Must(t, s.becomes(p.tab, customers, func(status int, _ string) bool { return status == http.StatusOK }))

	rig.Must(t, s.override(p.tab, "callers.reporting.blocked", "true", "too many of its calls fail"))
	p.becomes(t, `document.getElementById("overrides").innerText.includes("too many of its calls fail")`)

	purged := items + "?$top=1" // which the load does not ask for
	rig.Must(t, s.becomes(p.tab, purged, isHit))
	p.press(t, "cache", "production/catalogs", "Purge…")
	p.fill(t, map[string]string{"path": "/v1/Companies(14146)/Catalog/Items", "reason": "wrong prices"})
	if _, status, err := s.ask(p.tab, "storefront", purged); err != nil || isHit(0, status) {
		t.Errorf("behind the purge: %s (%v)", status, err)
	}
	for _, reason := range []string{"calm enough", "the test is over", "wrong prices"} {
		if !strings.Contains(s.gateway.Log.String(), reason) {
			t.Errorf("no log has the reason %q", reason)
		}
	}

	p.do(t, chromedp.Click(chromedp.CSS("#refusals tbody button")))
	p.becomes(t, `document.getElementById("explain-text").textContent.includes("\"status\"")`)
	p.do(t, chromedp.Click(chromedp.ID("explain-close")))
}

func isHit(_ int, cache string) bool { return strings.Contains(cache, "; hit") }

// Who may only read sees everything and no button that changes something; a
// stream that breaks is marked, and comes back.
func readsAndReconnects(browser context.Context, t *testing.T) {
	s := newSubject(t)
	s.load(t)
	p := s.open(browser, t, 1280, 900, true)
	p.login(t, readToken)
	p.becomes(t, `!document.getElementById("readonly").hidden && [...document.querySelectorAll(".change")].every((b) => b.offsetParent === null)`)
	p.becomes(t, spent+" > 5")
	p.screenshot(t, "dark")
	if low := lowContrasts(t, p); len(low) > 0 {
		t.Errorf("dark: %s", strings.Join(low, "\n"))
	}
	rig.Must(t, s.gateway.Kill())
	p.becomes(t, `document.getElementById("status").classList.contains("stale")`)
	rig.Must(t, s.gateway.Start(t.Context()))
	p.becomes(t, `document.getElementById("status").textContent === "live"`)
	p.becomes(t, spent+" > 0")
}

// Without a mouse, and on a phone.
func keyboardOnPhone(browser context.Context, t *testing.T) {
	s := newSubject(t)
	s.load(t)
	p := s.open(browser, t, 360, 740, false)
	if !eval[bool](t, p, noWider) {
		t.Error("the page is wider than the phone")
	}
	p.tabTo(t, `document.activeElement.className === "skip"`)
	p.login(t, token)
	p.becomes(t, row+`.includes("storefront")`)
	if !eval[bool](t, p, noWider) {
		t.Error("with data the page is wider than the phone")
	}
	if low := lowContrasts(t, p); len(low) > 0 {
		t.Errorf("light: %s", strings.Join(low, "\n"))
	}
	p.screenshot(t, "phone")
	p.tabTo(t, `document.activeElement.id === "filter"`)
	p.do(t, chromedp.KeyEvent("crm/auth"))
	p.becomes(t, `document.querySelectorAll("#quotas tbody tr").length === 1`)
	p.tabTo(t, `document.activeElement.textContent === "Block…"`)
	if !eval[bool](t, p, `document.activeElement.matches(":focus-visible") && getComputedStyle(document.activeElement).outlineStyle === "solid"`) {
		t.Error("the focus is not to be seen")
	}
	p.do(t, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.ID("ask")), chromedp.KeyEvent(kb.Escape))
	p.becomes(t, `!document.getElementById("ask").open && document.activeElement.textContent === "Block…"`)
	p.do(t, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.ID("ask")))
	p.tabTo(t, `document.activeElement.id === "ask-reason"`)
	p.do(t, chromedp.KeyEvent("by keyboard\r"))
	p.becomes(t, row+`.includes("by keyboard")`)
	p.becomes(t, `document.activeElement.textContent === "Unblock…"`)
	rig.Must(t, s.becomes(p.tab, customers, func(status int, _ string) bool { return status >= http.StatusTooManyRequests }))
	if !eval[bool](t, p, noWider) {
		t.Error("blocked, the page is wider than the phone")
	}
}

// tab presses the tabulator until the focus is where it should be.
func (p *page) tabTo(t *testing.T, there string) {
	t.Helper()
	for range 30 {
		p.do(t, chromedp.KeyEvent(kb.Tab))
		if eval[bool](t, p, there) {
			return
		}
	}
	t.Fatalf("30 tabs do not lead to %s", there)
}

// lowContrasts returns the texts whose contrast with what is behind them is below
// 4.5 (WCAG 2.2, 1.4.3).
func lowContrasts(t *testing.T, p *page) []string {
	t.Helper()
	return eval[[]string](t, p, `(() => {
  const rgb = (text) => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    if (!e.offsetParent || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const a = light(rgb(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(e.textContent.slice(0, 40) + ": " + ratio.toFixed(2));
  }
  return low;
})()`)
}

package dashboard_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"iqgateway/test/rig"
)

// page is one tab, and what the browser complained of.
type page struct {
	tab  context.Context //nolint:containedctx // chromedp's handle of the tab
	host string

	mu     sync.Mutex
	failed []string
}

// newBrowser starts Chromium, which ends with the test.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 { // its sandbox does not work for root
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	browser, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	rig.Must(t, chromedp.Do(browser))
	return browser
}

// open opens the page in a tab of its own, of so many pixels. At the end of the
// test the tab has met no error and asked no other host.
func (s *subject) open(browser context.Context, t *testing.T, width, height int64, dark bool) *page {
	t.Helper()
	// Each has storage of its own, as a browser that was just opened.
	tab, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	limited, cancel := context.WithTimeout(tab, time.Minute)
	p := &page{tab: limited, host: s.gateway.Admin}
	rig.Must(t, chromedp.Do(tab))
	rig.Must(t, chromedp.Listen(limited, p.hear))
	t.Cleanup(func() {
		cancel()
		closeTab()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.failed {
			t.Error(f)
		}
	})
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do(t, tell(cdplog.Enable, cdp.Empty{}), tell(network.Enable, network.EnableParams{}), chromedp.EmulateViewport(width, height),
		tell(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
		chromedp.Navigate("http://"+s.gateway.Admin+"/"), chromedp.WaitVisible(chromedp.ID("login")))
	return p
}

// tell gives the browser a command whose answer says nothing.
func tell[P any](command cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

// hear notes what must not happen. Refused and broken connections are what some
// tests are for; the browser logs those as of the network.
func (p *page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.failed = append(p.failed, fmt.Sprintf("exception: %+v", e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		p.failed = append(p.failed, fmt.Sprintf("console.%s was called", e.Type))
	case *cdplog.EventEntryAdded:
		if e.Entry.Source != cdplog.EntrySourceNetwork {
			p.failed = append(p.failed, fmt.Sprintf("the browser logs: %s: %s", e.Entry.Source, e.Entry.Text))
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" && (u.Host != p.host || u.RawQuery != "") {
			p.failed = append(p.failed, "the page asks "+e.Request.URL)
		}
	}
}

func (p *page) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(p.tab, actions...); err != nil {
		t.Fatal(err)
	}
}

// eval returns what an expression of the page is.
func eval[T any](t *testing.T, p *page, expression string) T {
	t.Helper()
	value, err := chromedp.Run(p.tab, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// becomes waits until an expression of the page is true.
func (p *page) becomes(t *testing.T, expression string) {
	t.Helper()
	if err := rig.Await(p.tab, 15*time.Second, expression, func() bool { return eval[bool](t, p, expression) }); err != nil {
		t.Fatalf("%v\n%s", err, eval[string](t, p, "document.body.innerText"))
	}
}

// login types a token and waits for live data.
func (p *page) login(t *testing.T, text string) {
	t.Helper()
	p.do(t, chromedp.SendKeys(chromedp.ID("token"), text+"\r"))
	p.becomes(t, `!document.getElementById("overview").hidden && document.getElementById("status").textContent === "live"`)
}

// pressed clicks a button of a row, which its first cell names.
const pressed = `(title, row, text) => {
  const line = [...document.querySelectorAll("#" + title + " tbody tr")].find((tr) => tr.cells[0].firstChild.textContent === row);
  const b = [...line.querySelectorAll("button:not([hidden])")].find((b) => b.textContent === text);
  b.click();
  return true;
}`

// press clicks a button of a row.
func (p *page) press(t *testing.T, table, row, text string) {
	t.Helper()
	eval[bool](t, p, fmt.Sprintf("(%s)(%q, %q, %q)", pressed, table, row, text))
}

// fill writes into the open dialog, and confirms it.
func (p *page) fill(t *testing.T, fields map[string]string) {
	t.Helper()
	for name, value := range fields {
		p.do(t, chromedp.SetValue(chromedp.ID("ask-"+name), value))
	}
	p.do(t, chromedp.Click(chromedp.ID("ask-do")))
	p.becomes(t, `!document.getElementById("ask").open`)
}

// screenshot keeps what is to be seen for the documentation, with -update.
func (p *page) screenshot(t *testing.T, name string) {
	t.Helper()
	if !*update {
		return
	}
	png, err := chromedp.Run(p.tab, chromedp.CaptureScreenshot())
	rig.Must(t, err)
	rig.Must(t, os.MkdirAll(root("docs", "images"), 0o755))
	rig.Must(t, os.WriteFile(root("docs", "images", "dashboard-"+name+".png"), png, 0o600))
}

// Package dashboard opens the page of the admin server in a real browser, headless
// Chromium, in front of a gateway under load, and does what an operator would.
package dashboard

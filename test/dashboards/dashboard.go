package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is one of JSON; its keys are written in alphabetical order.
type object = map[string]any

// schemaVersion is that of Grafana 11.0; later ones migrate it by themselves.
const schemaVersion = 39

// Where links lead, for whoever provisions the dashboards to replace.
const (
	runbookURL = "https://git.example.com/iqgateway/blob/main/docs/runbook.md"
	tracesURL  = "http://127.0.0.1:16686/search?service=iqgateway"
)

// JSON returns the dashboard as Grafana takes it.
func (s Source) JSON() ([]byte, error) {
	variables, err := s.variables()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(object{
		"uid": s.UID, "title": s.Title, "description": s.Description, "tags": []string{"iqgateway"},
		"schemaVersion": schemaVersion, "version": 1, "editable": true,
		"time": object{"from": "now-1h", "to": "now"}, "refresh": "30s", "timezone": "browser",
		"graphTooltip": 1, // one cross hair for all panels
		"links":        links(), "templating": object{"list": variables},
		"annotations": object{"list": annotations()}, "panels": s.panels(),
	}); err != nil {
		return nil, fmt.Errorf("dashboard %s: %w", s.UID, err)
	}
	return text.Bytes(), nil
}

// datasource is the one that is chosen above the panels.
func datasource() object { return object{"type": "prometheus", "uid": "${datasource}"} }

func links() []object {
	return []object{
		{
			"title": "Gateway", "type": "dashboards", "tags": []string{"iqgateway"}, "asDropdown": true,
			"includeVars": true, "keepTime": true, "targetBlank": false, "icon": "dashboard",
		},
		{"title": "Runbook", "type": "link", "url": "${runbook}", "targetBlank": true, "icon": "doc"},
		{"title": "Traces", "type": "link", "url": "${traces}", "targetBlank": true, "icon": "bolt"},
	}
}

// annotations mark what explains a change of any panel.
func annotations() []object {
	mark := func(name, expr, colour, text string) object {
		return object{
			"name": name, "datasource": datasource(), "enable": true, "iconColor": colour,
			"expr": expr, "step": "30s", "titleFormat": name, "textFormat": text,
		}
	}
	return []object{
		mark("Alert", AlertsExpr, "red", "{{alertname}} {{environment}} {{service}} {{credential}} {{caller}} {{instance}}"),
		mark("Start", StartsExpr, "blue", "{{instance}}"),
		mark("Reload", ReloadsExpr, "green", "{{instance}}"),
	}
}

// The expressions of the marks on all panels.
const (
	AlertsExpr  = `ALERTS{alertname=~"IQGW.*", alertstate="firing"}`
	StartsExpr  = `changes(process_start_time_seconds{job="iqgateway"}[1m]) > 0`
	ReloadsExpr = `changes(iqgw_config_last_reload_success_timestamp_seconds[1m]) > 0`
)

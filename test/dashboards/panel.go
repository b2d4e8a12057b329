package dashboards

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Panels flow from left to right over 24 columns.
const (
	columns     = 24
	usualWidth  = 12
	panelHeight = 8
)

func (s Source) panels() []object {
	var list []object
	x, y := 0, 0
	for i, p := range s.Panels {
		width := cmp.Or(p.Width, usualWidth)
		if x+width > columns {
			x, y = 0, y+panelHeight
		}
		made := p.object(s.UID)
		made["id"] = i + 1
		made["gridPos"] = object{"x": x, "y": y, "w": width, "h": panelHeight}
		list = append(list, made)
		x += width
	}
	return list
}

func (p Panel) object(uid string) object {
	runbook := "${runbook}"
	if p.Runbook != "" {
		runbook += "#" + p.Runbook
	}
	panel := object{
		"type": panelType(p.Kind), "title": p.Title, "description": p.Description, "datasource": datasource(),
		"targets": p.targets(), "options": p.options(),
		"fieldConfig": object{"defaults": p.defaults(uid), "overrides": []any{}},
		"links":       []object{{"title": "Runbook", "url": runbook, "targetBlank": true}},
	}
	if p.Kind == "table" {
		panel["transformations"] = []object{{"id": "organize", "options": object{
			"excludeByName": object{"Time": true}, "renameByName": object{"Value": "replicas"},
		}}}
	}
	return panel
}

func panelType(kind string) string {
	if kind == "statetimeline" {
		return "state-timeline"
	}
	return kind
}

func (p Panel) targets() []object {
	var list []object
	for i, q := range p.Queries {
		t := object{
			"refId": string(rune('A' + i)), "datasource": datasource(), "editorMode": "code",
			"expr": q.Expr, "legendFormat": q.Legend, "range": !p.Instant, "instant": p.Instant, "format": "time_series",
		}
		if p.Kind == "table" {
			t["format"] = "table"
		}
		if p.Exemplars && i == len(p.Queries)-1 { // once, as all are of the same requests
			t["exemplar"] = true
		}
		list = append(list, t)
	}
	return list
}

// defaults say how values look.
func (p Panel) defaults(uid string) object {
	d := object{"unit": p.Unit, "mappings": p.mappings(), "thresholds": p.thresholds(), "noValue": "none"}
	if p.Kind == "timeseries" {
		custom := object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false}
		if p.Stacked {
			custom["stacking"], custom["fillOpacity"] = object{"mode": "normal", "group": "A"}, 40
		}
		if p.RedAbove != nil || p.RedBelow != nil {
			custom["thresholdsStyle"] = object{"mode": "line"}
		}
		d["custom"], d["color"] = custom, object{"mode": "palette-classic"}
	}
	if p.RedBelow == nil && len(p.States) == 0 {
		d["min"] = 0
	}
	// A series of one service leads to what is known of its upstream.
	if uid != "iqgw-upstreams" && strings.Contains(p.Queries[0].Legend, "{{service}}") {
		d["links"] = []object{{
			"title": "Upstream ${__field.labels.service}", "targetBlank": false,
			"url": "/d/iqgw-upstreams?var-environment=${__field.labels.environment}&var-service=${__field.labels.service}&${__url_time_range}",
		}}
	}
	return d
}

func (p Panel) thresholds() object {
	step := func(colour string, from any) object { return object{"color": colour, "value": from} }
	steps := []object{step("green", nil)}
	switch {
	case len(p.States) > 0: // of values that no state names too
		steps = nil
		for _, value := range slices.Sorted(maps.Keys(p.States)) {
			steps = append(steps, step(stateColour(p.States[value]), value))
		}
		steps[0]["value"] = nil
	case p.RedAbove != nil:
		steps = append(steps, step("red", *p.RedAbove))
	case p.RedBelow != nil:
		steps = []object{step("red", nil), step("green", *p.RedBelow)}
	}
	return object{"mode": "absolute", "steps": steps}
}

// mappings name the states.
func (p Panel) mappings() []object {
	if len(p.States) == 0 {
		return []object{}
	}
	options := object{}
	for _, value := range slices.Sorted(maps.Keys(p.States)) {
		options[strconv.Itoa(value)] = object{"text": p.States[value], "color": stateColour(p.States[value]), "index": value}
	}
	return []object{{"type": "value", "options": options}}
}

func stateColour(state string) string {
	switch state {
	case "closed", "free", "valid", "used", "taken over", "fine":
		return "green"
	case "none":
		return "text"
	case "half-open", "failing", "held", "degraded":
		return "orange"
	default:
		return "red"
	}
}

func (p Panel) options() object {
	legend := object{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}}
	reduce := object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
	switch p.Kind {
	case "timeseries":
		return object{"legend": legend, "tooltip": object{"mode": "multi", "sort": "desc"}}
	case "stat":
		return object{"reduceOptions": reduce, "colorMode": "value", "graphMode": "area", "textMode": "value_and_name"}
	case "bargauge":
		return object{"reduceOptions": reduce, "orientation": "horizontal", "displayMode": "basic", "showUnfilled": true}
	case "statetimeline":
		return object{"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": true}, "mergeValues": true, "showValue": "auto", "rowHeight": 0.9}
	default:
		return object{"showHeader": true, "cellHeight": "sm"}
	}
}

package dashboards

import "fmt"

// variables are those of the source, after what every dashboard has.
func (s Source) variables() ([]object, error) {
	list := []object{
		{
			"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
			"refresh": 1, "current": object{}, "hide": 0,
		},
		constant("runbook", runbookURL),
		constant("traces", tracesURL),
	}
	for _, name := range s.Variables {
		query, known := variableQuery(name)
		if !known {
			return nil, fmt.Errorf("dashboard %s: no variable %q is known", s.UID, name)
		}
		list = append(list, object{
			"name": name, "label": name, "type": "query", "datasource": datasource(),
			"query": object{"query": query, "refId": "StandardVariableQuery"}, "definition": query,
			"refresh": 2, // with the time range
			"sort":    1, "multi": true, "includeAll": true, "allValue": ".*", "hide": 0,
			"current": object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}},
		})
	}
	return list, nil
}

func constant(name, value string) object {
	return object{
		"name": name, "type": "constant", "query": value, "hide": 2, "skipUrlSync": true,
		"current": object{"selected": true, "text": value, "value": value},
	}
}

// variableQuery returns where the values of a variable come from.
func variableQuery(name string) (string, bool) {
	query, known := map[string]string{
		"environment": `label_values(iqgw_exchanges_total{environment!=""}, environment)`,
		"service":     `label_values(iqgw_exchanges_total{environment=~"$environment", service!=""}, service)`,
		"caller":      `label_values(iqgw_exchanges_total{caller!=""}, caller)`,
		"credential":  `label_values(iqgw_token_state{environment=~"$environment"}, credential)`,
	}[name]
	return query, known
}

package observability

// NewMetricsWithin has fewer series in all.
var NewMetricsWithin = newMetrics

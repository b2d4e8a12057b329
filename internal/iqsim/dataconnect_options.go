package iqsim

import "time"

// DataConnectOptions switches the behaviour of the DataConnect service. The
// zero value is the service as documented.
type DataConnectOptions struct {
	// CookieName is the name of the session cookie; "" means
	// "DataConnectState". The provider does not publish the name: a client
	// must not depend on it.
	CookieName string `json:"cookieName,omitempty"`
	// SessionIdle ends a session that was not used for so long; 0 means 20
	// minutes.
	SessionIdle Duration `json:"sessionIdle,omitempty"`
	// SessionCost is added to every call that comes without a valid session
	// cookie, which is why the provider asks for the cookie; 0 adds nothing.
	SessionCost Duration `json:"sessionCost,omitempty"`
	// PreferredEndpoint is the URL that /session names as the database's
	// nearest host; "" leaves the field out, as for most databases.
	PreferredEndpoint string `json:"preferredEndpoint,omitempty"`

	// ActiveLimit is the number of requests that one database runs at the same
	// time; 0 means 8, a negative number no limit.
	ActiveLimit int `json:"activeLimit,omitempty"`
	// Hold makes every request wait so long with its slot taken before it is
	// answered; 0 means not at all.
	Hold Duration `json:"hold,omitempty"`
	// Databases names the RQ database of an account. Accounts that are not in
	// it share one database, and with it its ActiveLimit.
	Databases map[string]string `json:"databases,omitempty"`
	// Overloaded answers every request that needs a token with 503.
	Overloaded bool `json:"overloaded,omitempty"`
	// Unmapped lists accounts that belong to no RQ employee: they get 403.
	Unmapped []string `json:"unmapped,omitempty"`

	// RowLimit refuses reports that are estimated to have more rows; 0 means
	// the documented 1 048 576, a negative number no limit. Exports sized with
	// Size are exempt, since that parameter is the simulator's own.
	RowLimit int64 `json:"rowLimit,omitempty"`
	// RowLimitStatus is the HTTP status of that refusal, which is not
	// documented; 0 means 400.
	RowLimitStatus int `json:"rowLimitStatus,omitempty"`
	// ChunkPause makes a streamed answer wait between two chunks (about 64 KiB
	// each); 0 means full speed.
	ChunkPause Duration `json:"chunkPause,omitempty"`
}

// withDefaults returns o with its zero fields replaced.
func (o DataConnectOptions) withDefaults() DataConnectOptions {
	if o.CookieName == "" {
		o.CookieName = "DataConnectState"
	}
	if o.SessionIdle == 0 {
		o.SessionIdle = Duration(20 * time.Minute)
	}
	if o.ActiveLimit == 0 {
		o.ActiveLimit = 8
	}
	if o.RowLimit == 0 {
		o.RowLimit = 1 << 20
	}
	if o.RowLimitStatus == 0 {
		o.RowLimitStatus = 400
	}
	return o
}

// database returns the name of the account's database.
func (o DataConnectOptions) database(account string) string {
	if name := o.Databases[account]; name != "" {
		return name
	}
	return "rq"
}

package tokencache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
	"iqgateway/tokencache"
	"iqgateway/tokencache/storetest"
)

type lastStage struct{}

func (lastStage) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{}
	exchange.AuthorizerFrom(r.Context()).Authorize(h)
	fmt.Println(h.Get("Authorization"))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func ExampleSet_Stage() {
	accounts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"0a1b2c","expires_in":43199}`)
	}))
	defer accounts.Close()

	cache := tokencache.New(tokencache.Options{ // one per process
		Store:   storetest.NewMemory().Replica(), // shared by the fleet: tokencache/redisstore
		Replica: "gw-1",
	})
	defer cache.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go cache.Run(ctx)
	set, err := cache.Use([]tokencache.Credential{{ // one per configuration
		Name: "retail", Environment: "sandbox", TokenURL: accounts.URL + "/v1/oauth2/token",
		Secrets: tokencache.Secrets{
			ClientID: secret.New("client"), ClientSecret: secret.New("hidden"),
			Username: secret.New("user"), Password: secret.New("hidden too"),
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Release()
	stage := set.Stage(tokencache.StageOptions{})(lastStage{})

	req := httptest.NewRequest(http.MethodGet, "https://crmdemo.iqmetrix.net/v1/Companies(1)/Customers", nil)
	req = req.WithContext(exchange.With(req.Context(), &exchange.Exchange{
		Credential: "retail",
		Target:     &exchange.Target{Environment: "sandbox", Service: "crm", Authentication: "bearer"},
	}))
	resp, err := stage.RoundTrip(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output:
	// Bearer 0a1b2c
	// 200
}

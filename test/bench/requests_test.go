package main

import (
	"strings"
	"testing"
	"time"
)

const apiServerMetrics = `# HELP apiserver_request_total Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="GET",version="v1"} 40
apiserver_request_total{code="404",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="GET",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="auth.spaces-operator.io",resource="spacescredentials",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 1.1e+03
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="cluster",subresource="",verb="LIST",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="namespace",subresource="",verb="LIST",version="v1"} 7
apiserver_request_total{code="200",component="apiserver",dry_run="",group="external-secrets.io",resource="externalsecrets",scope="resource",subresource="status",verb="PUT",version="v1"} 5
apiserver_request_total{code="0",component="apiserver",dry_run="",group="",resource="secrets",scope="cluster",subresource="",verb="WATCH",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 9
apiserver_request_total{code="200",component="",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 5
apiserver_request_duration_seconds_count{resource="secrets",verb="GET"} 77
`

func TestRequestsAreReadByVerbAndResource(t *testing.T) {
	got, err := readRequests(strings.NewReader(apiServerMetrics))
	if err != nil {
		t.Fatal(err)
	}
	if want := "1100.00 PATCH spacescredentials/status, 42.00 GET secrets, 7.00 LIST secrets, 5.00 PUT externalsecrets/status"; got.String() != want {
		t.Errorf("read: %s, want %s", got, want)
	}
	each := got.each(requests{"GET secrets": 2, "LIST secrets": 7, "PUT externalsecrets/status": 4, "PATCH spacescredentials/status": 1099}, 100)
	if want := "0.40 GET secrets"; each.String() != want || each.all() != 0.4 {
		t.Errorf("each: %s, want %s", each, want)
	}
}

func TestTheWorkIsThatOfTheLoop(t *testing.T) {
	const metrics = `controller_runtime_reconcile_total{controller="spacescredential",result="success"} 3
controller_runtime_reconcile_total{controller="spacescredential",result="requeue_after"} 1200
controller_runtime_reconcile_total{controller="strays",result="success"} 5
controller_runtime_reconcile_total{controller="clusterexternalsecret",result="success"} 8
controller_runtime_reconcile_total{controller="externalsecret",result="requeue_after"} 40
controller_runtime_reconcile_total{controller="externalsecret",result="error"} 2
workqueue_depth{controller="spacescredential",name="spacescredential",priority=""} 7
workqueue_depth{controller="strays",name="strays",priority=""} 9
workqueue_depth{controller="externalsecret",name="externalsecret"} 6
`
	for controller, want := range map[string]work{
		"spacescredential": {passes: 1203, queued: 7},
		"externalsecret":   {passes: 42, queued: 6},
		"nobody":           {},
	} {
		if found, err := readWork(strings.NewReader(metrics), controller); err != nil || found != want {
			t.Errorf("%s: read %+v (%v), want %+v", controller, found, err, want)
		}
	}
}

func TestProcessorTimeIsReadBehindTheName(t *testing.T) {
	const stat = "4711 (a) (b c) S 1 4711 4711 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 11 0 1000 0 0"
	if spent, err := readProcessorTime(stat); err != nil || spent != 3*time.Second {
		t.Errorf("read %s (%v)", spent, err)
	}
	if _, err := readProcessorTime("4711 (a) S 1"); err == nil {
		t.Error("a form that is none is read")
	}
}

func TestTheMachineIsBusyWithAllButIdling(t *testing.T) {
	busy, err := readBusy([]byte("cpu  100 10 50 9999 777 5 5 30 60 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"))
	if err != nil || busy != 2*time.Second {
		t.Errorf("read %s (%v)", busy, err)
	}
	if _, err := readBusy([]byte("intr 1 2 3\n")); err == nil {
		t.Error("a form that is none is read")
	}
}

package monitoring

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dashboard is what dashboard.json holds, as far as it is looked at here.
type dashboard struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Templating    struct {
		List []struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

// panel is a panel, or a row above some.
type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct {
			Unit     string `json:"unit"`
			Mappings []struct {
				Options map[string]struct {
					Text  string `json:"text"`
					Color string `json:"color"`
				} `json:"options"`
			} `json:"mappings"`
			Custom struct {
				Stacking struct {
					Mode string `json:"mode"`
				} `json:"stacking"`
			} `json:"custom"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Targets []target `json:"targets"`
}

// datasource is where a panel asks.
type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// target is one question of a panel.
type target struct {
	RefID        string     `json:"refId"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	Datasource   datasource `json:"datasource"`
}

// chosen is the Prometheus that a person chooses at the top.
var chosen = datasource{Type: "prometheus", UID: "${datasource}"}

// units are those that Grafana knows and are used here.
var units = []string{"none", "short", "s", "reqps", "wps", "bytes"}

// gridWidth is that of every dashboard of Grafana.
const gridWidth = 24

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(read(t, filepath.Join(configured, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Grafana takes nearly anything and shows what it understands: what it would not say is looked at here.
func TestTheDashboardIsWellFormed(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 {
		t.Errorf("uid %q, title %q, schema version %d", d.UID, d.Title, d.SchemaVersion)
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name+" "+v.Type)
	}
	if !slices.Equal(variables, []string{"datasource datasource", "namespace query"}) {
		t.Errorf("the variables are %v", variables)
	}
	ids, cells, titles := map[int]bool{}, map[string]string{}, map[string]bool{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] {
			t.Errorf("%q has the ID %d, which is none or taken", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Title == "" || titles[p.Title] {
			t.Errorf("panel %d has the title %q, which is none or taken", p.ID, p.Title)
		}
		titles[p.Title] = true
		at := p.GridPos
		if at.W < 1 || at.H < 1 || at.X < 0 || at.Y < 0 || at.X+at.W > gridWidth {
			t.Errorf("%q lies outside: %+v", p.Title, at)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				cell := fmt.Sprint(x, ",", y)
				if other, taken := cells[cell]; taken {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				cells[cell] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		for _, complaint := range complaintsOf(p) {
			t.Errorf("%q: %s", p.Title, complaint)
		}
	}
}

// complaintsOf are those about a panel that asks.
func complaintsOf(p panel) (all []string) {
	if !slices.Contains([]string{"timeseries", "stat", "state-timeline"}, p.Type) {
		all = append(all, "it is of type "+p.Type)
	}
	if p.Datasource != chosen || p.Description == "" || len(p.Targets) == 0 {
		all = append(all, "it has no datasource variable, no description or no target")
	}
	if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
		all = append(all, fmt.Sprintf("it has the unit %q", p.FieldConfig.Defaults.Unit))
	}
	for i, asked := range p.Targets {
		if asked.Expr == "" || asked.LegendFormat == "" || asked.Datasource != chosen || asked.RefID != string(rune('A'+i)) {
			all = append(all, fmt.Sprintf("target %q has no expression, legend, datasource or place", asked.RefID))
		}
		// What is not aggregated has a series of each replica.
		if strings.Contains(asked.Expr, "spaces_credential_") && !strings.Contains(asked.Expr, "max by (namespace, name") {
			all = append(all, "it counts each SpacesCredential once for each replica")
		}
	}
	return all
}

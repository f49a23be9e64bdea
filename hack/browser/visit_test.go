package browser

import (
	"context"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
)

// visit is a person at a browser that remembers no other visit.
type visit struct {
	*WithT
	tab context.Context
	// pictures is how the names of its pictures begin.
	pictures string
}

func (s *stack) visit(t *testing.T, pictures string) *visit {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.browser, patience)
	t.Cleanup(cancel)
	tab, leave := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(leave)
	return &visit{WithT: NewWithT(t), tab: tab, pictures: pictures}
}

// signIn goes as far as the question whether to allow. What is mistyped, if anything, is
// tried before the right password.
func (v *visit) signIn(address, mistyped string) {
	v.do(chromedp.Navigate(address), chromedp.WaitVisible(chromedp.ID("sign-in")))
	v.picture("sign-in")
	v.do(chromedp.SendKeys(chromedp.ID("username"), person))
	if mistyped != "" {
		v.give(mistyped, "message")
		v.picture("wrong-password")
	}
	v.give(password, "allow")
	v.picture("consent")
}

// give gives a password, and waits for what the next page shows.
func (v *visit) give(password, next string) {
	v.do(chromedp.SendKeys(chromedp.ID("password"), password), chromedp.Click(chromedp.ID("sign-in")), chromedp.WaitVisible(chromedp.ID(next)))
}

// decide answers the question, and tells which page the browser ends at.
func (v *visit) decide(button string) (status int64, title, html string) {
	response, err := chromedp.RunResponse(v.tab, chromedp.Click(chromedp.ID(button)))
	v.Expect(err).NotTo(HaveOccurred())
	title, err = chromedp.Run(v.tab, chromedp.Text(chromedp.CSS("h1")))
	v.Expect(err).NotTo(HaveOccurred())
	html, err = chromedp.Run(v.tab, chromedp.OuterHTML(chromedp.CSS("html")))
	v.Expect(err).NotTo(HaveOccurred())
	v.picture("end")
	return response.Status, title, html
}

func (v *visit) do(steps ...chromedp.Action[chromedp.Void]) {
	v.Expect(chromedp.Do(v.tab, steps...)).To(Succeed())
}

func (v *visit) picture(name string) {
	png, err := chromedp.Run(v.tab, chromedp.CaptureScreenshot())
	v.Expect(err).NotTo(HaveOccurred())
	v.Expect(os.WriteFile(v.pictures+"-"+name+".png", png, 0o644)).To(Succeed())
}

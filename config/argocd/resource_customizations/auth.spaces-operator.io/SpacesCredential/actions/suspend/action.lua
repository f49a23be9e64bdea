-- Nothing is renewed or published until resume; the published token expires in its time.
obj.spec.suspend = true
return obj

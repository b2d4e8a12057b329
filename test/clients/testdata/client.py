"""An application that was written for the provider, with what Python brings."""
import http.client, json, os, socket, ssl, urllib.error, urllib.parse, urllib.request

env = os.environ
host, port = env["GATEWAY"].split(":")
resolve = socket.getaddrinfo


def dns(name, *rest, **options):
    """The company's DNS: the provider's names lead to the gateway."""
    return resolve("127.0.0.1" if name in (env["ACCOUNTS"], env["CRM"]) else name, *rest, **options)


socket.getaddrinfo = dns
context = ssl.create_default_context(cafile=env["CA"])


def ask(opener, url, form=None, **headers):
    body = urllib.parse.urlencode(form).encode() if form else None
    try:
        with opener.open(urllib.request.Request(url, body, headers), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def flow(opener, scheme, suffix):
    token_url = "%s://%s%s/v1/oauth2/token" % (scheme, env["ACCOUNTS"], suffix)
    client = {"client_id": "till", "client_secret": env["KEY"]}
    status, text = ask(opener, token_url, {"grant_type": "password", "username": "u", "password": "p", **client})
    token = json.loads(text)
    url = "%s://%s%s%s" % (scheme, env["CRM"], suffix, env["CUSTOMERS"])
    first, _ = ask(opener, url, Authorization="Bearer " + token["access_token"])
    _, text = ask(opener, token_url, {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], **client})
    second, _ = ask(opener, url, Authorization="Bearer " + json.loads(text)["access_token"])
    return first, second


direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
first, second = flow(direct, "https", ":" + port)
print("token", first)
print("refresh", second)

url = "http://" + env["CRM"] + env["CUSTOMERS"]
proxy = urllib.request.build_opener(urllib.request.ProxyHandler({"http": "http://till:%s@%s" % (env["KEY"], env["PROXY"])}))
print("proxy", ask(proxy, url)[0])
bare = urllib.request.build_opener(urllib.request.ProxyHandler({"http": "http://" + env["PROXY"]}))
print("challenge", ask(bare, url)[0])
print("proxied-token", flow(bare, "http", "")[1])

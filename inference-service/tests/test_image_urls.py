"""Which image addresses a provider is sent."""

import pytest
from inference_service.completions.image_urls import check_image_url, is_public_host
from shared.errors import BadRequest

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "url",
    [
        PIXEL, "DATA:image/JPEG;base64,AAAA", "https://example.com/a.png",
        "https://upload.wikimedia.org/a%20b.jpg?x=1#y",
        "HTTPS://Example.COM:8443/a", "https://93.184.216.34/a.png",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/a.png",
        "https://xn--mnchen-3ya.de/a.png",
    ],
)  # fmt: skip
def test_public_images_are_let_through(url: str) -> None:
    check_image_url(url, "url")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png", "ftp://example.com/a", "file:///etc/passwd", "gopher://example.com",
        "//example.com/a", "example.com/a",
        "javascript:alert(1)", "blob:https://example.com/x", "s3://bucket/x", "gs://bucket/x",
        "https:example.com", "https:/example.com/",
        "https:///example.com/", "data:text/html;base64,AAAA", "data:image/png,AAAA", "data:,x",
        "data:image/png;base64,", "", " ",
        "https://user:pw@example.com/", "https://example.com@10.0.0.1/", "https://example.com\\@10.0.0.1/",
        "https://exa mple.com/",
        "https://example.com/\n", "https://ex\tample.com/", "https://[::1", "https://example.com:99999/",
        "https://",
        "https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://printer/",
        "https://printer.local/",
        "https://metadata.google.internal/", "https://kubernetes.default.svc/",
        "https://x.svc.cluster.local/", "https://router.lan/",
        "https://127.0.0.1.nip.io/", "https://10-0-0-1.sslip.io/", "https://localtest.me/",
        "https://a.lvh.me/",
        "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/",
        "https://0x7f.0.0.1/", "https://0177.0.0.1/",
        "https://017700000001/", "https://127.0.0.1./", "https://127.0.0x1/", "https://0/",
        "https://0.0.0.0/", "https://10.1.2.3/",
        "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/", "https://100.64.0.1/",
        "https://100.100.100.200/",
        "https://192.0.0.192/", "https://198.18.0.1/", "https://224.0.0.1/", "https://255.255.255.255/",
        "https://168.63.129.16/",
        "https://[::]/", "https://[::1]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
        "https://[fc00::1]/", "https://[fd00:ec2::254]/",
        "https://[fec0::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2001:0:1::1]/",
        "https://[ff02::1]/",
        "https://\uff11\uff12\uff17.0.0.1/", "https://127\u30020\u30020\u30021/", "https://ⓛocalhost/",
        "https://%31%32%37.0.0.1/",
        "https://1.2.3/", "https://1.2.3.4.5/", "https://256.1.1.1/", "https://example.0x7f/",
        "https://a..b/",
    ],
)  # fmt: skip
def test_everything_else_is_refused_naming_the_parameter(url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_image_url(url, "messages[0].content[0].image_url.url")
    assert refused.value.extra["param"] == "messages[0].content[0].image_url.url"


def test_a_full_width_host_is_read_as_clients_read_it() -> None:
    assert not is_public_host("\uff11\uff12\uff17.0.0.1")

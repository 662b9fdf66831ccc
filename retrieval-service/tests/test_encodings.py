"""Texts that do not say which encoding they are in: read right, or refused, and never read wrong."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from retrieval_service.parsing.decoding import decode
from retrieval_service.parsing.errors import DocumentRefused

TEXTS = {
    "chinese": (
        "检索服务负责文件、知识库和搜索。用户上传的文件会被拆分成段落，然后写入向量数据库。本合同由双方签订。"
    ),
    "traditional chinese": (
        "檢索服務負責檔案、知識庫和搜尋。"
        "使用者上傳的檔案會被拆分成段落，然後寫入向量資料庫。每個人只能看到自己的檔案。"
    ),
    "russian": (
        "Сервис поиска отвечает за файлы, базы знаний и поиск. Загруженный файл делится на отрывки и "
        "записывается в хранилище."
    ),
    "ukrainian": (
        "Служба пошуку відповідає за файли, бази знань і пошук. Завантажений користувачем файл ділиться на "
        "уривки."
    ),
    "japanese": (
        "検索サービスはファイルとナレッジベースと検索を担当します。"
        "アップロードされたファイルは段落に分割され、書き込まれます。"
    ),
    "korean": (
        "검색 서비스는 파일, 지식 베이스 및 검색을 담당합니다. "
        "사용자가 올린 파일은 단락으로 나뉘어 벡터 저장소에 기록됩니다."
    ),
    "german": (
        "Der Suchdienst verwaltet Dateien. Größere Dateien werden über mehrere Übertragungen hochgeladen; "
        "Müller zahlt später."
    ),
    "french": (
        "Le service gère les fichiers, les bases de connaissances et la recherche. Les élèves ont été "
        "reçus à l'école après l'été."
    ),
    "polish": (
        "Usługa wyszukiwania zarządza plikami, bazami wiedzy i wyszukiwaniem. Zażółć gęślą jaźń, a książki "
        "są na półce."
    ),
    "czech": (
        "Vyhledávací služba spravuje soubory, znalostní báze a vyhledávání. Příliš žluťoučký kůň úpěl "
        "ďábelské ódy."
    ),
    "greek": (
        "Η υπηρεσία αναζήτησης διαχειρίζεται αρχεία, βάσεις γνώσεων και αναζήτηση. Κάθε άτομο βλέπει μόνο "
        "τα δικά του αρχεία."
    ),
    "turkish": (
        "Arama hizmeti dosyaları, bilgi tabanlarını ve aramayı yönetir. Şimdi güneş doğuyor ve çocuklar "
        "ağaçların altında oynuyor."
    ),
    "hebrew": "שירות החיפוש אחראי על קבצים, מאגרי ידע וחיפוש. כל אדם רואה רק את הקבצים שלו.",
    "arabic": "خدمة البحث مسؤولة عن الملفات وقواعد المعرفة والبحث. كل شخص يرى ملفاته فقط.",
    "english": "The price is 5 £ — “fine”, said O’Brien, and that was the end of the matter.",
}
ENCODINGS = {
    "chinese": ("gbk", "gb18030"),
    "traditional chinese": ("big5",),
    "russian": ("cp1251", "koi8-r", "cp866", "iso8859-5"),
    "ukrainian": ("cp1251",),
    "japanese": ("shift_jis", "euc_jp", "iso2022_jp"),
    "korean": ("euc_kr", "cp949"),
    "german": ("cp1252", "iso8859-1", "iso8859-15"),
    "french": ("cp1252", "iso8859-1"),
    "polish": ("cp1250",),
    "czech": ("cp1250", "iso8859-2"),
    "greek": ("cp1253", "iso8859-7"),
    "turkish": ("cp1254", "iso8859-9"),
    "hebrew": ("cp1255",),
    "arabic": ("cp1256",),
    "english": ("cp1252",),
}


def cases() -> Iterator[Any]:
    for language, encodings in ENCODINGS.items():
        for encoding in encodings:
            yield pytest.param(TEXTS[language], encoding, id=f"{language} {encoding}")


@pytest.mark.parametrize("times", [1, 20])
@pytest.mark.parametrize(("text", "encoding"), list(cases()))
def test_a_text_is_read_as_it_was_written(text: str, encoding: str, times: int) -> None:
    text = f"{text}\n" * times
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, мир", "cp1251"),
        ("“Привет” — сказал он и ушёл домой.", "cp1251"),
        ("你好，世界。今天天气很好。", "gbk"),
        ("こんにちは世界", "shift_jis"),
        ("naïve café", "cp1252"),
        ("Müller", "cp1252"),
        ("Größe – 5 €", "cp1252"),
        ("à la carte, déjà vu", "cp1252"),
        ("total: 5 €", "cp1252"),
    ],
)
def test_a_few_words_are_enough(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *[
            (text, encoding)
            for text in TEXTS.values()
            for encoding in ("cp1252", "mac_roman", "cp437", "cp850", "gbk", "cp1251", "iso8859-2")
        ],
        *[(word, "gbk") for word in ("你好", "合同")],
        *[(word, "cp1250") for word in ("Łódź", "Żółw")],
        *[(words, "cp1251") for words in ("да, OK Google", "ООО Google", "я")],
        *[(word, "euc_kr") for word in ("안녕", "안녕하세요 세계")],
    ],
)
def test_what_is_not_sure_is_refused_and_never_read_as_something_else(text: str, encoding: str) -> None:
    try:
        raw = text.encode(encoding)
    except UnicodeEncodeError:
        return  # this language is never written in it
    try:
        assert decode(raw) == text
    except DocumentRefused as refusal:
        assert refusal.code == "unclear_encoding"


@pytest.mark.parametrize("times", [1, 3, 30])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.", "cp1253"),
        (
            "İstanbul, Türkiye'nin en kalabalık şehridir. Şehir, iktisadi, tarihi ve sosyo-kültürel açıdan "
            "çok önemlidir.",
            "cp1254",
        ),
        ("Şişli, Beşiktaş ve Kadıköy ilçeleri", "cp1254"),
        ("Budapest Magyarország fővárosa. Árvíztűrő tükörfúrógép működik.", "cp1250"),
        (
            "Reykjavík er höfuðborg Íslands. Þar býr meira en þriðjungur þjóðarinnar, og þýðir nafnið "
            "reykjarvík.",
            "cp1252",
        ),
        (
            "Der Gott Þór ist größer als die übrigen Götter, und für Bücher über ihn gibt es schöne "
            "Verkäufe in München.",
            "cp1252",
        ),
        ("São Paulo é a maior cidade do país; não há coração sem emoção, e as ações são rápidas.", "cp1252"),
        ("Tallinn on Eesti pealinn. Õhtul sõidab rõõmus mees üle jõe.", "cp1257"),
        ("Où étiez-vous en août ? Bien sûr, nous étions à l'hôtel, près de la forêt brûlée.", "cp1252"),
    ],
)
def test_letters_that_differ_in_a_few_places_only_are_never_taken_for_each_other(
    text: str, encoding: str, times: int
) -> None:
    """Read wrongly, nobody would find the most frequent words of the language."""
    text = f"{text}\n" * times
    try:
        assert decode(text.encode(encoding)) == text
    except DocumentRefused as refusal:
        assert refusal.code == "unclear_encoding"
        assert times == 1, "this much is enough"


def test_bytes_at_random_are_refused() -> None:
    chance = random.Random(1)  # noqa: S311 - the same bytes each time
    for size in (50, 500, 5_000):
        raw = bytes(chance.choice([*range(32, 127), *range(128, 256)]) for _ in range(size))
        with pytest.raises(DocumentRefused) as refusal:
            decode(raw)
        assert refusal.value.code == "unclear_encoding"


def test_one_broken_character_does_not_turn_a_text_into_another_encoding() -> None:
    text = TEXTS["russian"] * 5
    raw = text.encode()
    cut = 3 if len(raw) % 2 else 1
    assert decode(raw + "я".encode()[:1]) == text + "\ufffd"
    assert decode(raw[:-cut]).startswith(text[:100])


@pytest.mark.parametrize(
    ("language", "encoding"), [("chinese", "gbk"), ("german", "cp1252"), ("russian", "cp1251")]
)
def test_a_large_text_is_found_out_by_a_sample(language: str, encoding: str) -> None:
    text = TEXTS[language] * 20_000  # one line
    began_s = time.process_time()
    assert decode(text.encode(encoding)) == text
    assert time.process_time() - began_s < 10

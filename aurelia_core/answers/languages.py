"""How languages state an answer: a table with one row a language, read by `aurelia_core.answers.multiple_choice`.

Each cell is a regular expression of alternatives, matched without regard to case. The nouns are those of the
multilingual answer patterns of OpenAI's simple-evals (`common.py`, MULTILINGUAL_ANSWER_REGEXES) and of the threads in
`tests/data/choice_replies*.jsonl`; the other cells are ours. `example` is a reply that the row reads as B.
"""

from typing import NamedTuple


class Language(NamedTuple):
    """The words of one language.

    Attributes:
        nouns: names of an answer ("answer", "option"), each with its colon or copula after it.
        choosing: words before a letter that choose it ("I choose").
        between: words between noun and letter that say nothing else ("correct", "is", "the letter").
        denying: words before a letter that deny it.
        right: words after a letter that say that it is right.
        wrong: words after a letter that deny it.
        instead: words that join the right letter to a denied one ("not A but B").
        example: a reply, and "" for words that the row lacks.
    """

    name: str
    nouns: str
    choosing: str = ""
    between: str = ""
    denying: str = ""
    right: str = ""
    wrong: str = ""
    instead: str = ""
    example: str = ""


LANGUAGES = (
    Language(
        "French",
        r"réponse|reponse|mon choix",
        r"je (?:pense|crois) que c'est|je (?:choisi(?:s|rais)|dirais|sélectionn(?:e|erais)|réponds|prend(?:s|rais))"
        r"|j'opt(?:e|erais) pour|je (?:pench|vot)(?:e|erais?) pour",
        r"correcte|exacte|bonne|finale?|juste|est|serait|donc|la|le|l'|lettre|option(?!\s*\d)|choix|réponse",
        r"n'est pas|n'est ni|ce n'est pas|pas",
        r"est (?:la )?(?:bonne|correcte?|juste|exacte?|réponse)",
        r"n'est pas|est (?:fausse?|incorrecte?)",
        r"mais(?: plutôt)?|(?<=[,;.]\s)c'est",
        "La bonne réponse est la lettre B.",
    ),
    Language(
        "Spanish",
        r"respuesta|mi elección|opción correcta|alternativa correcta|opcion correcta",
        r"creo que es|pienso que es|diría que es|elijo|escojo|selecciono|elegiría|me quedo con|escogería",
        r"correcta|correcto|final|es|sería|la|el|opción|opcion|letra|alternativa|respuesta",
        r"no es|no sería|no se trata de",
        r"es (?:la )?(?:correcta|respuesta|opción correcta)",
        r"no es|es (?:incorrecta|falsa)",
        r"sino(?: que)?|(?<=[,;.]\s)es",
        "La respuesta correcta es la opción B.",
    ),
    Language(
        "German",
        r"antwort|meine wahl|richtig ist|korrekt ist|lösung",
        r"ich wähle|ich nehme|ich würde|ich entscheide mich für",
        r"richtige|korrekte|ist|lautet|wäre|also|die|der|das|option(?!\s*\d)|buchstabe|antwort|sagen|wählen",
        r"ist nicht|nicht|lautet nicht|kein(?:e[nrsm]?)?",
        r"ist (?:die )?(?:richtige?|korrekte?|antwort)",
        r"ist (?:nicht|falsch|inkorrekt)",
        r"sondern",
        "Die richtige Antwort lautet B.",
    ),
    Language(
        "Italian",
        r"risposta|la mia scelta|opzione corretta|alternativa corretta",
        r"scelgo|seleziono|opto per|direi|sceglierei|opterei per",
        r"corretta|giusta|esatta|finale|è|é|e'|sarebbe|la|l'|lettera|opzione|risposta",
        r"non è|non é",
        r"(?:è|é) (?:la )?(?:corretta|giusta|risposta)",
        r"non è|è (?:sbagliata|errata)",
        r"ma|bensì|(?<=[,;.]\s)è",
        "La risposta corretta è la B.",
    ),
    Language(
        "Portuguese",
        r"resposta|minha escolha|opção correta|alternativa correta",
        r"escolho|seleciono|escolheria|diria",
        r"correta|certa|final|é|seria|letra|opção|alternativa|a(?=\s+(?:letra|opção|alternativa"
        r"|[A-Z]\b(?!\s+[a-zé])))",
        r"não é|nao é",
        r"(?:é|está) (?:a )?(?:correta|certa|resposta)",
        r"não é|não está|(?:é|está) (?:incorreta|errada)",
        r"mas sim|mas|e sim|(?<=[,;.]\s)é",
        "A resposta correta é a letra B.",
    ),
    Language(
        "Dutch",
        r"antwoord",
        r"ik kies|ik zou",
        r"juiste|correcte|is|dus|het|de|optie|letter|antwoord",
        r"is niet|niet",
        r"is (?:het )?(?:juiste?|correct|goed)",
        r"is (?:niet|fout|onjuist)",
        r"maar",
        "Het juiste antwoord is B.",
    ),
    Language(
        "Polish",
        r"odpowiedź|odpowiedzią",
        r"wybieram",
        r"to|jest|brzmi|prawidłowa|poprawna|litera|opcja",
        r"nie jest|to nie|nie",
        r"jest (?:prawidłowa|poprawna)",
        r"nie jest",
        r"lecz|tylko|ale",
        "Prawidłowa odpowiedź to B.",
    ),
    Language(
        "Russian and Ukrainian",
        r"ответ(?:ом)?|мой выбор|(?:правильным|верным) является|правильный вариант|верный вариант|відповідь",
        r"думаю,? (?:что )?это|скорее всего,? это|я выбираю|выбираю|я бы выбрал|обираю",
        r"правильный|верный|правильная|правильна|это|є|является|будет|вариант|буква|опция|варіант|под буквой",
        r"не является|это не|не",
        r"(?:является |— |- )?(?:правильный|верный|верно|правильно|правильна|подходит)",
        r"не|неверно|неправильно|неверный",
        r"а|но",
        "Правильный ответ — B.",
    ),
    Language(
        "Turkish",
        r"cevap|yanıt",
        r"seçiyorum",
        r"doğru|şıkkı|seçeneği|seçenek",
        r"değil",
        r"(?:şıkkı |seçeneği )?doğru",
        r"değil|yanlış",
        r"",
        "Doğru cevap B.",
    ),
    Language(
        "Vietnamese",
        r"đáp án|câu trả lời|trả lời",
        r"tôi chọn",
        r"đúng|chính xác|là|cuối cùng|lựa chọn",
        r"không phải(?: là)?",
        r"là (?:đáp án )?đúng",
        r"không|sai",
        r"mà là",
        "Đáp án đúng là B.",
    ),
    Language(
        "Indonesian and Malay",
        r"jawaban(?:nya)?|jawapan",
        r"saya memilih|saya pilih",
        r"yang benar|yang tepat|akhir|adalah|ialah|opsi|pilihan|huruf",
        r"bukan",
        r"(?:adalah )?(?:jawaban yang )?benar",
        r"salah|bukan",
        r"melainkan|tetapi",
        "Jawaban yang benar adalah B.",
    ),
    Language(
        "Swahili",
        r"jibu",
        r"nachagua",
        r"sahihi|ni|la mwisho",
        r"si",
        r"ni sahihi",
        r"si sahihi",
        r"bali",
        "Jibu ni B.",
    ),
    Language(
        "Hindi",
        r"उत्तर|जवाब",
        r"",
        r"सही|है|विकल्प|अंतिम",
        r"नहीं",
        r"(?:सही |उत्तर )?है",
        r"(?:सही )?नहीं|गलत",
        r"बल्कि",
        "सही उत्तर B है।",
    ),
    Language("Bengali", r"উত্তর", r"", r"সঠিক|হল|হলো|বিকল্প", r"নয়", r"সঠিক", r"নয়|ভুল", r"বরং", "সঠিক উত্তর: B"),
    Language(
        "Thai",
        r"คำตอบ",
        r"เลือก|ตอบ",
        r"ที่ถูกต้อง|คือ|ข้อ|สุดท้าย",
        r"ไม่ใช่",
        r"ถูกต้อง|ถูก",
        r"ไม่|ผิด",
        r"แต่เป็น",
        "คำตอบที่ถูกต้องคือ B",
    ),
    Language(
        "Arabic",
        r"الإجابة|الاجابة|إجابة|الجواب|الخيار الصحيح|جوابي",
        r"أختار|اختار|سأختار",
        r"الصحيحة|الصحيح|النهائية|النهائي|هي|هو|الخيار|الحرف|ستكون",
        r"ليست|ليس|ليس هو|ليست هي",
        r"(?:هو|هي) (?:الإجابة |الجواب |الخيار )?(?:ال)?صحيحة?|صحيحة?|(?:هو|هي) (?:الإجابة|الجواب)",
        r"ليست?|خاطئة?|غير صحيحة?|خطأ",
        r"بل|ولكن|وإنما",
        "الإجابة الصحيحة هي B",
    ),
    Language(
        "Chinese",
        r"答案|正[确確](?:的)?(?:选项|選項)|[选選][项項](?=\s*[:：])|答复|答(?=\s*[:：])|结论|(?:很|最)可能是|最(?:符合|合适|接近|恰当|准确|贴切"
        r"|合理)的(?:答案|选项)?(?:是|为)?|我(?:认为|觉得)是|听到的(?:声音)?是|听起来(?:就)?(?:像|是)|这(?:个声音)?是|我的选择是?|应该?是|應該?是|应为"
        r"|(?<![述说指讲写及])(?<!提到)(?<!说到)(?<!写到)的[^\s，,。不没非是]{0,6}是",
        r"(?<![不没沒])(?:应该?|應該?|故|所以|因此|我|该|就|题|題)*(?:选|選)(?![项項])(?:择|擇)?(?:的是)?",
        r"正[确確]的?|最终|最終|应该|應該|应|應|该|是|为|為|就是|选项|選項|选|選|第|字母",
        r"不是|并非|不应该?是|不选|不選|并不是|不为|非",
        r"(?:选项|選項|项|項)?(?:是|为|為)?(?:最)?(?:正[确確]|[对對](?!于)|符合|合[适適]|答案|佳|恰当)",
        r"(?:选项|選項|项|項)?(?:是|都|均)?(?:不|错|錯|没|沒|非|排除|并不|有误|误)",
        r"而是|[,，]是|而应该?[是选]",
        "正确答案是B。",
    ),
    Language(
        "Japanese",
        r"答え|正解|回答|解答|正しい選択肢|適切なの|正しいの",
        r"",
        r"最も|正しい|は|が|選択肢|最終的な|の",
        r"",
        r"(?:が|は)?(?:正解|正しい|答え|最適|適切|最も適切)|を(?:選|えら)|で(?:す|しょう)(?!か)|だと思|である|だ(?=[。\s]|$)",
        r"(?:は|が|も)?(?:正解|正しく|答え)?(?:では|じゃ|で(?=な))?な(?:い|く|かった)|ではありません|ではあり|は(?:違|間違|不正解|誤)|じゃない",
        r"(?:ではなくて?|じゃなくて?|でなくて?)[、,]?",
        "答えはBです。",
    ),
    Language(
        "Korean",
        r"정답|답변|답|응답",
        r"",
        r"은|는|이|가|로|최종|올바른|선택지|옵션|바로",
        r"",
        r"(?:가|이|는|은|번이|번)?\s*(?:정답|맞|옳|올바)",
        r"(?:가|이|는|은)?\s*(?:정답이|답이)?\s*(?:아니|아닙|아닌|틀|오답)",
        r"(?:가|이) 아니라|아니라",
        "정답은 B입니다.",
    ),
    Language(
        "Swedish, Danish and Norwegian",
        nouns=r"svar(?:et)?",
        choosing=r"jag väljer|jeg vælger|jeg velger",
        between=r"rätta?|rigtige?|riktige?|korrekta?|korrekte?|det|är|er|alternativ|mulighed|bokstaven?",
        denying=r"är inte|er ikke|inte|ikke",
        right=r"är (?:rätt|korrekt)|er (?:riktig|rigtigt?|korrekt)",
        wrong=r"är (?:inte|fel)|er (?:ikke|feil|forkert)",
        instead=r"utan|men",
        example="Rätt svar är B.",
    ),
    Language(
        "Finnish",
        nouns=r"vastaus",
        choosing=r"valitsen",
        between=r"oikea|on|vaihtoehto",
        denying=r"ei ole|ei",
        right=r"on (?:oikein|oikea)",
        wrong=r"ei|on (?:väärin|väärä)",
        instead=r"vaan",
        example="Oikea vastaus on B.",
    ),
    Language(
        "Czech and Slovak",
        nouns=r"odpověď|odpoveď",
        choosing=r"vybírám|volím|vyberám",
        between=r"správná|správna|je|možnost|možnosť",
        denying=r"není|nie je",
        right=r"je (?:správně|správná|správna)",
        wrong=r"není|nie je|je (?:špatně|nesprávná)",
        instead=r"ale|nýbrž",
        example="Správná odpověď je B.",
    ),
    Language(
        "Romanian",
        nouns=r"răspuns(?:ul)?|raspuns(?:ul)?",
        choosing=r"aleg",
        between=r"corect|final|este|e|varianta|opțiunea|litera",
        denying=r"nu este|nu e|nu",
        right=r"este (?:corectă?|răspunsul)",
        wrong=r"nu|este (?:greșită?|incorectă?)",
        instead=r"ci",
        example="Răspunsul corect este B.",
    ),
    Language(
        "Hungarian",
        nouns=r"válasz",
        choosing=r"választom",
        between=r"helyes|az(?=\s)|a(?=\s+[B-Z]\b)",
        denying=r"nem",
        right=r"a helyes",
        wrong=r"nem|hibás|helytelen",
        instead=r"hanem",
        example="A helyes válasz: B.",
    ),
    Language(
        "Greek",
        nouns=r"απάντηση",
        choosing=r"επιλέγω",
        between=r"σωστή|είναι|η|το|επιλογή",
        denying=r"δεν είναι|όχι",
        right=r"είναι (?:η )?σωστ[ήό]",
        wrong=r"δεν|είναι (?:λάθος|λανθασμένη)",
        instead=r"αλλά",
        example="Η σωστή απάντηση είναι η B.",
    ),
    Language(
        "Hebrew",
        nouns=r"ה?תשובה",
        choosing=r"אני בוחרת?",
        between=r"הנכונה|היא|הוא|אפשרות",
        denying=r"לא|אינה",
        right=r"היא (?:ה?נכונה|התשובה)",
        wrong=r"לא|אינה|שגויה",
        instead=r"אלא",
        example="התשובה הנכונה היא B.",
    ),
    Language(
        "Persian",
        nouns=r"پاسخ|جواب",
        between=r"صحیح|درست|نهایی|گزینه",
        right=r"(?:صحیح|درست) است",
        wrong=r"نیست|غلط|نادرست",
        instead=r"بلکه",
        example="پاسخ صحیح: B",
    ),
)


def _cells(name: str) -> str:
    """The cells of one column as alternatives, the longest first so that a part does not hide a whole."""
    cells = [getattr(language, name) for language in LANGUAGES]
    return "|".join(sorted(filter(None, cells), key=len, reverse=True))


NOUNS = _cells("nouns")
CHOOSING = _cells("choosing")
BETWEEN = _cells("between")
DENYING = _cells("denying")
RIGHT = _cells("right")
WRONG = _cells("wrong")
INSTEAD = _cells("instead")

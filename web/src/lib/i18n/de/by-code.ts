/**
 * What servers refuse, by code. Names in braces are fields of the error; without them its own words are
 * shown.
 */
export const errors: Partial<Record<string, string>> = {
	account_suspended: 'Dieses Konto ist gesperrt. Fragen Sie einen Administrator.',
	agent_not_found: 'Diesen Agenten gibt es nicht.',
	agent_read_only: 'Diesen Agenten können Sie nicht ändern. Legen Sie mit seinen Angaben einen neuen an.',
	agent_reply_ended:
		'Ein Agent hat diese Antwort geschrieben, und sein Lauf ist zu Ende. Lassen Sie sie neu schreiben.',
	agents_busy: 'Gerade laufen zu viele Agenten. Versuchen Sie es gleich noch einmal.',
	agents_restarting: 'Die Agenten starten neu. Versuchen Sie es gleich noch einmal.',
	amount_not_usable: 'Dieser Betrag kann nicht benutzt werden.',
	billing_unavailable: 'Die Abrechnung antwortet gerade nicht. Versuchen Sie es gleich noch einmal.',
	broken: 'Diese Datei ist beschädigt oder unvollständig. Speichern Sie sie in ihrem Programm neu, und laden Sie diese Kopie hoch.',
	budget_exceeded: 'Diese Anfrage würde ein Budget überschreiten.',
	budget_is_default: 'Das ist das Standardbudget: es kann geändert, aber nicht entfernt werden.',
	budget_unknown: 'Dieses Budget gibt es nicht mehr.',
	chat_busy: 'Gerade werden zu viele Antworten geschrieben. Versuchen Sie es gleich noch einmal.',
	chat_changing:
		'Der Agent dieses Chats wird gerade anderswo geändert. Senden Sie die Nachricht noch einmal.',
	chat_not_found: 'Diesen Chat gibt es nicht.',
	chat_restarting: 'Die Chats starten neu. Versuchen Sie es gleich noch einmal.',
	checksum_mismatch: 'Was ankam, ist nicht, was gesendet wurde. Laden Sie die Datei noch einmal hoch.',
	chunk_not_found: 'Diese Stelle hat die Datei nicht; sie wurde vielleicht seither neu gelesen.',
	decided_already: 'Über diesen Aufruf wurde schon entschieden.',
	email_taken: 'Mit dieser E-Mail-Adresse gibt es schon ein Konto. Melden Sie sich damit an.',
	embedding_unavailable:
		'Gerade kann nicht nach Bedeutung gesucht werden. Versuchen Sie es noch einmal, oder suchen Sie nach Wörtern.',
	empty: 'In dieser Datei steht kein Text. Laden Sie eine hoch, die welchen enthält.',
	encrypted:
		'Diese Datei verlangt ein Passwort. Speichern Sie eine Kopie ohne Passwort, und laden Sie diese hoch.',
	file_empty: 'Die Datei ist leer.',
	file_not_found: 'Diese Datei gibt es nicht.',
	handed_over: 'Atrium wird gerade aktualisiert. Versuchen Sie es gleich noch einmal.',
	insufficient_credits: 'Das Guthaben reicht für diese Anfrage nicht.',
	internal_error: 'Auf dem Server ist etwas fehlgeschlagen. Versuchen Sie es noch einmal.',
	interrupted: 'Das Einlesen dieser Datei wurde unterbrochen. Versuchen Sie es noch einmal.',
	invalid_credentials:
		'Die E-Mail-Adresse oder das Passwort stimmt nicht. Ein Administrator kann Ihnen ein neues Passwort geben.',
	knowledge_base_full: 'Diese Wissenssammlung ist voll. Benutzen Sie eine andere.',
	knowledge_base_not_found: 'Diese Wissenssammlung gibt es nicht.',
	last_admin: 'Das ist der letzte aktive Administrator. Machen Sie zuerst jemand anderen dazu.',
	mcp_server_from_file: 'Dieser Server steht in einer Datei des Betreibers und wird dort geändert.',
	mcp_server_name_taken: 'Einen MCP-Server mit diesem Namen gibt es schon. Wählen Sie einen anderen Namen.',
	mcp_server_not_found: 'Diesen MCP-Server gibt es nicht.',
	message_not_found: 'Diese Nachricht gibt es in diesem Chat nicht.',
	model_not_allowed: 'Dieses Modell dürfen Sie nicht benutzen.',
	model_not_found: 'Dieses Modell gibt es hier nicht.',
	no_session: 'Ihre Sitzung ist zu Ende. Melden Sie sich an.',
	no_text:
		'Keine Seite dieser PDF-Datei enthält Text: Sie ist ein Scan. Lassen Sie zuerst eine Texterkennung darüber laufen.',
	not_text: 'Diese Datei enthält keinen Text. Laden Sie PDF, DOCX, HTML, Markdown oder reinen Text hoch.',
	nothing_to_continue: 'Nur eine angehaltene oder abgebrochene Antwort kann fortgesetzt werden.',
	nothing_to_decide: 'Dieser Aufruf wartet nicht auf eine Zustimmung.',
	price_already_planned: 'Für diesen Zeitpunkt ist schon ein Preis geplant.',
	price_in_the_past: 'Ein Preis kann nicht in der Vergangenheit beginnen.',
	query_empty: 'Die Frage enthält keinen Text.',
	quota_exceeded: 'Ihr Platz für Dateien ist voll. Löschen Sie zuerst etwas.',
	rate_limited: 'Zu viele Anfragen. Warten Sie einen Augenblick, und versuchen Sie es noch einmal.',
	reader_not_confined:
		'Diese Installation kann das Einlesen nicht abschotten und liest deshalb keine Dateien. Fragen Sie den Betreiber.',
	refresh_token_reused:
		'Diese Sitzung wurde beendet, weil ein altes Token noch einmal benutzt wurde. Melden Sie sich an.',
	reply_running: 'Die Antwort davor wird noch geschrieben. Warten Sie auf sie, oder halten Sie sie an.',
	reply_too_long:
		'Die Antwort ist so lang, wie eine sein darf. Fragen Sie nach dem Rest in einer neuen Nachricht.',
	role_exceeds_own: 'Ihnen fehlen Rechte dieser Rolle. Fragen Sie einen Administrator.',
	scope_too_large: 'Das wären zu viele Dateien auf einmal. Wählen Sie weniger Wissenssammlungen.',
	setup_token_required:
		'Das erste Konto braucht das einmalige Einrichtungs-Token. Öffnen Sie den Link, der beim Start ausgegeben wurde.',
	signup_closed: 'Die Registrierung ist hier geschlossen. Bitten Sie einen Administrator um ein Konto.',
	too_complex: 'Diese Datei braucht mehr Speicher, als eine Datei benutzen darf. Teilen Sie sie auf.',
	too_deep:
		'Die Elemente dieser HTML-Datei sind zu tief verschachtelt. Speichern Sie die Seite als reinen Text, und laden Sie diesen hoch.',
	too_many_agents:
		'Sie haben schon so viele Agenten, wie eine Person haben darf. Löschen Sie zuerst einen.',
	too_many_keys:
		'Sie haben schon so viele Schlüssel, wie eine Person haben darf. Löschen Sie zuerst einen.',
	too_many_knowledge_bases:
		'Sie haben schon so viele Wissenssammlungen, wie eine Person haben darf. Löschen Sie zuerst eine.',
	too_many_mcp_servers: 'Mehr MCP-Server kann eine Organisation nicht haben. Entfernen Sie zuerst einen.',
	too_many_open_runs:
		'Zu viele Ihrer Agenten sind bei der Arbeit. Warten Sie auf einen, oder halten Sie einen an.',
	too_many_running_replies:
		'Zu viele Ihrer Antworten werden schon geschrieben. Warten Sie auf eine, oder halten Sie eine an.',
	too_many_streams:
		'Zu viele Antworten sind gleichzeitig offen. Schließen Sie einen Tab, und versuchen Sie es noch einmal.',
	too_many_uploads: 'Zu viele Dateien werden gleichzeitig hochgeladen. Warten Sie auf eine.',
	too_many_versions:
		'Diese Nachricht hat schon so viele Fassungen, wie eine haben darf. Wählen Sie eine davon.',
	too_much_text: 'Diese Datei enthält zu viel Text. Teilen Sie sie auf.',
	too_slow:
		'Das Einlesen dieser Datei hat zu lange gedauert. Speichern Sie sie neu, oder teilen Sie sie auf.',
	tool_twice: 'Ein Werkzeug ist zweimal genannt.',
	type_refused: 'Dateien dieser Art können nicht gelesen werden.',
	unclear_encoding:
		'Die Zeichenkodierung dieses Textes lässt sich nicht sicher erkennen. Speichern Sie ihn als UTF-8, und laden Sie diese Kopie hoch.',
	unreadable: 'Diese Datei konnte nicht gelesen werden. Speichern Sie sie neu, oder teilen Sie sie auf.',
	upload_lost: 'Teile der Datei sind verloren gegangen. Laden Sie sie noch einmal hoch.',
	upload_not_found: 'Dieses Hochladen ist abgelaufen. Beginnen Sie noch einmal.',
	vector_store_unavailable:
		'Die Suche antwortet gerade nicht. Versuchen Sie es noch einmal; bleibt es so, fragen Sie einen Administrator.'
};

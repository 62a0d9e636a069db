from pathlib import Path

import pytest

from node.config import Config, DicomwebConfig, load_config, parse_config, render_config
from node.domain.errors import ConfigError, Reason


def message_of(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_config(text, "config.yaml")
    assert refused.value.reason is Reason.CONFIG_INVALID
    return refused.value.message


def test_a_typo_names_line_field_and_what_was_meant():
    message = message_of("store: file:x\nreception:\n  port: 104\n  ae_titel: NODE\n")
    assert "config.yaml, line 4: reception.ae_titel: unknown field; did you mean 'ae_title'?" in message
    assert "Allowed here: ae_title" in message


def test_a_value_out_of_bounds_names_the_bound_and_the_value():
    message = message_of("reception:\n  port: 99999\n")
    assert "line 2: reception.port" in message
    assert "65535" in message
    assert "99999" in message


def test_a_wrong_choice_lists_the_allowed_values():
    message = message_of("measurement:\n  reference: c2-c7\n")
    assert "'c3-c7' or 'adjacent'" in message


def test_a_fault_in_a_list_names_the_line_of_its_item():
    item = "  - name: {name}\n    host: h\n    port: 1\n    ae_title: {title}\n"
    text = "destinations:\n" + item.format(name="a", title="A") + item.format(name="b", title="TOO_LONG_FOR_AN_AE_TITLE")
    assert "line 9: destinations.1.ae_title" in message_of(text)


def test_every_fault_is_named_at_once():
    assert message_of("reception:\n  port: -1\nlog:\n  level: LOUD\n").count("line") == 2


@pytest.mark.parametrize("text", ["a: [", "- a list", "just words", "store: !!python/object:os.system {}"])
def test_what_is_not_a_configuration_is_refused(text):
    assert "config.yaml, line 1" in message_of(text)


def test_destination_names_differ():
    one = "  - {name: a, host: h, port: 1, ae_title: A}\n"
    assert "same name: a" in message_of("destinations:\n" + one + one)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("host: h, port: 1", "ae_title is missing"),
        ("dicomweb: {url: https://h/dicom-web}, port: 1", "not both"),
        ("dicomweb: {url: ftp://h/dicom-web}", "write http:// or https://"),
        ("dicomweb: {url: 'https://u:geheim@h/dicom-web'}", "set user and password_file, or token_file"),
        ("dicomweb: {url: https://h, user: u}", "belong together"),
        ("dicomweb: {url: https://h, user: u, password_file: p, token_file: t}", "not both"),
        ("dicomweb: {url: http://h}, tls: {}", "tls needs an https url"),
        ("dicomweb: {url: https://h}, storage_commitment: true", "the answer says what is stored"),
    ],
)
def test_a_destination_speaks_dicom_or_dicomweb(fields: str, said: str):
    message = message_of(f"destinations:\n  - {{name: a, {fields}}}\n")
    assert said in message
    assert "geheim" not in message


def test_a_dicomweb_destination_reads_back_and_its_files_lie_beside_the_configuration(tmp_path: Path):
    text = "destinations:\n  - {name: a, dicomweb: {url: http://h/dicom-web/, token_file: token}}\n"
    assert parse_config(render_config(parse_config(text))) == parse_config(text)
    (tmp_path / "config.yaml").write_text(text)
    (one,) = load_config(tmp_path / "config.yaml").destinations
    assert one.dicomweb is not None
    assert (one.dicomweb.token_file, one.address) == (tmp_path / "token", "http://h/dicom-web")
    assert one.dicomweb.is_exposed
    assert not DicomwebConfig(url="http://127.0.0.1:8042").is_exposed
    assert not DicomwebConfig(url="https://h").is_exposed


def test_an_empty_file_is_the_defaults():
    assert parse_config("") == Config()
    assert parse_config("# only a comment") == Config()


def test_a_missing_file_says_so(tmp_path: Path):
    with pytest.raises(ConfigError) as refused:
        load_config(tmp_path / "none.yaml")
    assert refused.value.reason is Reason.CONFIG_MISSING


def test_relative_paths_start_at_the_files_folder(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text("store: file:store\ndatabase: sqlite:jobs.db\ninference:\n  models_dir: models\n", encoding="utf-8")
    config = load_config(path)
    assert config.store == f"file:{tmp_path}/store"
    assert config.database == f"sqlite:{tmp_path}/jobs.db"
    assert config.inference.models_dir == tmp_path / "models"


def test_absolute_paths_and_servers_stay(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text("store: file:///data/store\ndatabase: postgresql://node@db/jobs\n", encoding="utf-8")
    config = load_config(path)
    assert (config.store, config.database) == ("file:/data/store", "postgresql://node@db/jobs")


def test_what_is_rendered_reads_back():
    text = "reception:\n  ae_title: NODE\ndestinations:\n  - {name: a, host: h, port: 1, ae_title: A}\n"
    config = parse_config(text)
    assert parse_config(render_config(config)) == config
    assert parse_config(render_config(Config())) == Config()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("store: &a file:x\ndatabase: *a\n", "line 1: not valid YAML: anchors"),
        ("jobs: {retry: &r {first_delay_s: 1}}\n", "anchors"),
        ("reception: {<<: *missing}\n", "anchors"),
        ("store: file:x\nstore: file:y\n", "line 2: not valid YAML: 'store' stands here twice"),
        ("store: " + "[" * 5000, "nested too deeply"),
        ("store: " + "{a: " * 100 + "1" + "}" * 100, "nested too deeply"),
        ("# " + "x" * (1 << 20), "longer than"),
        ("\0", "not valid YAML"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_yaml_that_is_more_than_its_text_is_refused(text: str, why: str):
    assert why in message_of(text)


def test_a_billion_laughs_are_refused_at_the_first():
    lines = ["a: &a [x, x]"] + [f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]" for n in range(24)]
    assert "anchors" in message_of("\n".join(lines))


@pytest.mark.parametrize("password", ["geheim", "ge@heim", "p:w@x"])
def test_the_password_of_the_database_is_never_printed(password: str):
    config = parse_config(f"database: 'postgresql://node:{password}@db/jobs'\n")
    shown = render_config(config)
    assert password not in shown
    assert "postgresql://node:***@db/jobs" in shown
    assert password not in message_of(f"database: 'mysql://node:{password}@db/jobs'\n")
    assert password not in message_of(f"store: 'postgresql://db/jobs?user=a&password={password.replace('@', '')}'\n")


def test_the_database_may_stand_in_a_file_of_its_own(tmp_path: Path):
    (tmp_path / "secret").write_text("postgresql://node:geheim@db/jobs\n", encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text("database_file: secret\n", encoding="utf-8")
    assert load_config(path).database == "postgresql://node:geheim@db/jobs"
    assert "geheim" not in render_config(load_config(path))
    (tmp_path / "secret").write_text("mysql://node:geheim@db/jobs\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="does not hold") as refused:
        load_config(path)
    assert "geheim" not in str(refused.value)
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(path)


def test_object_storage_is_refused_with_what_to_do_instead():
    with pytest.raises(ConfigError, match=r"line 1: store: object storage is not supported.*file:///shared"):
        parse_config("store: s3://bucket/node")

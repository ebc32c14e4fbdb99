BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0010');
CREATE TABLE batches (
	id INTEGER NOT NULL, 
	started_at VARCHAR(27) NOT NULL, 
	photos INTEGER NOT NULL, 
	engine TEXT NOT NULL, 
	inference_ms FLOAT NOT NULL, kind VARCHAR(16) DEFAULT 'sort' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE changes (
	id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE companions (
	id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	path_bytes BLOB NOT NULL, 
	inbox_path TEXT NOT NULL, 
	inbox_path_bytes BLOB NOT NULL, 
	generation TEXT NOT NULL, 
	identity TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	modified_at VARCHAR(27) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	claimed_at VARCHAR(27) NOT NULL, 
	filed_at VARCHAR(27), 
	PRIMARY KEY (id), 
	FOREIGN KEY(photo_id) REFERENCES photos (id)
);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	kind TEXT NOT NULL, 
	path TEXT, 
	message TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE judgements (
	id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	label VARCHAR(8) NOT NULL, 
	probability FLOAT NOT NULL, 
	logit FLOAT NOT NULL, 
	look INTEGER, 
	judged_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (photo_id, model_id), 
	FOREIGN KEY(photo_id) REFERENCES photos (id), 
	FOREIGN KEY(model_id) REFERENCES models (id)
);
CREATE TABLE models (
	id INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	card TEXT NOT NULL, 
	first_used_at VARCHAR(27) NOT NULL, temperature FLOAT, threshold FLOAT, unsure_low FLOAT, unsure_high FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (sha256)
);
CREATE TABLE originals (
	id INTEGER NOT NULL, 
	photo_id INTEGER, 
	companion_id INTEGER, 
	inbox_path TEXT NOT NULL, 
	inbox_path_bytes BLOB NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	stamp TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (inbox_path_bytes, sha256), 
	FOREIGN KEY(photo_id) REFERENCES photos (id), 
	FOREIGN KEY(companion_id) REFERENCES companions (id)
);
CREATE TABLE photos (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	path_bytes BLOB NOT NULL, 
	inbox_path TEXT NOT NULL, 
	inbox_path_bytes BLOB NOT NULL, 
	generation TEXT NOT NULL, 
	identity TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	modified_at VARCHAR(27) NOT NULL, 
	format TEXT, 
	width INTEGER, 
	height INTEGER, 
	logit FLOAT, 
	probability FLOAT, 
	predicted_label VARCHAR(8), 
	state VARCHAR(16) NOT NULL, 
	error_kind VARCHAR(32), 
	error_message TEXT, 
	batch_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	claimed_at VARCHAR(27) NOT NULL, 
	classified_at VARCHAR(27), 
	filed_at VARCHAR(27), attempts INTEGER DEFAULT '1' NOT NULL, first_failed_at VARCHAR(27), duplicate_of INTEGER, taken_at VARCHAR(19), taken_offset VARCHAR(6), camera TEXT, look INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(batch_id) REFERENCES batches (id), 
	FOREIGN KEY(model_id) REFERENCES models (id)
);
CREATE TABLE reclassifications (
	id INTEGER NOT NULL, 
	batch_id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	previous_batch_id INTEGER NOT NULL, 
	previous_model_id INTEGER NOT NULL, 
	predicted_label VARCHAR(8), 
	probability FLOAT, 
	logit FLOAT, 
	look INTEGER, 
	classified_at VARCHAR(27), 
	PRIMARY KEY (id), 
	UNIQUE (batch_id, photo_id), 
	FOREIGN KEY(batch_id) REFERENCES batches (id), 
	FOREIGN KEY(photo_id) REFERENCES photos (id), 
	FOREIGN KEY(previous_batch_id) REFERENCES batches (id), 
	FOREIGN KEY(previous_model_id) REFERENCES models (id)
);
CREATE TABLE reviews (
	id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	label VARCHAR(8) NOT NULL, 
	reviewed_at VARCHAR(27) NOT NULL, source VARCHAR(8) DEFAULT 'person' NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(photo_id) REFERENCES photos (id)
);
CREATE TABLE roots (
	id INTEGER NOT NULL, 
	root_id VARCHAR(32) NOT NULL, 
	path TEXT NOT NULL, 
	first_used_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_photos_classified_at ON photos (classified_at);
CREATE INDEX ix_photos_name ON photos (name);
CREATE INDEX ix_photos_state ON photos (state);
CREATE INDEX ix_photos_predicted_label ON photos (predicted_label);
CREATE INDEX ix_photos_sha256 ON photos (sha256);
CREATE INDEX ix_reviews_photo_id ON reviews (photo_id);
CREATE INDEX ix_photos_identity_state ON photos (identity, state);
CREATE INDEX ix_photos_batch_id ON photos (batch_id);
CREATE INDEX ix_photos_predicted_label_classified_at ON photos (predicted_label, classified_at);
CREATE INDEX ix_photos_state_filed_at ON photos (state, filed_at);
CREATE INDEX ix_reviews_label_photo_id ON reviews (label, photo_id);
CREATE INDEX ix_photos_certainty ON photos ((0.5 + abs(probability - 0.5)), id);
CREATE INDEX ix_companions_photo_id ON companions (photo_id);
CREATE INDEX ix_companions_sha256 ON companions (sha256);
CREATE INDEX ix_companions_state ON companions (state);
CREATE INDEX ix_companions_name ON companions (name);
CREATE INDEX ix_photos_inbox_path_bytes ON photos (inbox_path_bytes);
CREATE INDEX ix_originals_photo_id ON originals (photo_id);
CREATE INDEX ix_originals_companion_id ON originals (companion_id);
CREATE INDEX ix_originals_sha256 ON originals (sha256);
CREATE VIEW results AS
SELECT
  p.id, p.name, p.path, p.sha256,
  COALESCE(r.label, p.predicted_label) AS label,
  p.predicted_label,
  r.label AS corrected_label,
  p.probability,
  p.state,
  m.name AS model,
  p.classified_at,
  p.filed_at,
  p.inbox_path,
  p.size_bytes, p.format, p.width, p.height,
  p.error_kind, p.error_message,
  p.batch_id,
  p.attempts, p.first_failed_at,
  p.duplicate_of,
  p.taken_at, p.taken_offset, p.camera,
  0.5 + abs(p.probability - 0.5) AS certainty,
  p.logit,
  m.threshold, m.unsure_low, m.unsure_high,
  b.engine,
  p.modified_at, p.claimed_at,
  r.reviewed_at,
  p.look,
  (SELECT COUNT(*) FROM companions c WHERE c.photo_id = p.id AND c.state NOT IN ('missing', 'deleted')) AS companions,
  (SELECT o.inbox_path FROM originals o WHERE o.photo_id = p.id ORDER BY o.id DESC LIMIT 1) AS original
FROM photos p
LEFT JOIN models m ON m.id = p.model_id
LEFT JOIN batches b ON b.id = p.batch_id
LEFT JOIN reviews r ON r.id = (SELECT MAX(id) FROM reviews WHERE photo_id = p.id);
CREATE TRIGGER changes_photo_added AFTER INSERT ON photos FOR EACH ROW WHEN (NEW.state NOT IN ('filing', 'correcting', 'deleting', 'undoing', 'retrying')) BEGIN INSERT INTO changes (photo_id) VALUES (NEW.id); END;
CREATE TRIGGER changes_photo_moved AFTER UPDATE OF state, path ON photos FOR EACH ROW WHEN (NEW.state NOT IN ('filing', 'correcting', 'deleting', 'undoing', 'retrying') AND (NEW.state <> OLD.state OR NEW.path <> OLD.path)) BEGIN INSERT INTO changes (photo_id) VALUES (NEW.id); END;
CREATE TRIGGER changes_review_added AFTER INSERT ON reviews FOR EACH ROW  BEGIN INSERT INTO changes (photo_id) VALUES (NEW.photo_id); END;
CREATE TRIGGER changes_review_moved AFTER UPDATE OF photo_id ON reviews FOR EACH ROW  BEGIN INSERT INTO changes (photo_id) VALUES (NEW.photo_id); END;
CREATE TRIGGER changes_review_removed AFTER DELETE ON reviews FOR EACH ROW  BEGIN INSERT INTO changes (photo_id) VALUES (OLD.photo_id); END;
CREATE INDEX ix_judgements_model_id_id ON judgements (model_id, id);
CREATE INDEX ix_reclassifications_photo_id ON reclassifications (photo_id);
CREATE INDEX ix_reclassifications_previous_batch_id ON reclassifications (previous_batch_id);
CREATE TRIGGER judgements_of_other_bytes AFTER UPDATE OF sha256 ON photos FOR EACH ROW WHEN (NEW.sha256 <> OLD.sha256) BEGIN DELETE FROM judgements WHERE photo_id = NEW.id; END;
COMMIT;

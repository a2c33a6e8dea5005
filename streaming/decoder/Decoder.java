package sensorlake;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF3;

/**
 * One message from the wire: what it says, or why it is no reading. The rules and the shape of the result stand in
 * streaming/validation.py, the accepted messages in docs/wire-format.md.
 *
 * A pure function of the bytes, of when the broker received them (microseconds since 1970) and of the largest size allowed.
 * Compiled by Janino (see jar.py), which knows Java 8 without lambdas.
 */
public final class Decoder implements UDF3<Object, Object, Object, Object> {

  private static final long serialVersionUID = 1L;
  private static final long SECOND = 1000000L;
  private static final long FUTURE = 5 * 60 * SECOND;
  private static final long TOO_OLD = 7 * 86400 * SECOND;

  // A number is read by its size: below 1e11 it counts seconds (to the year 5138), below 1e14 milliseconds, below 1e17
  // microseconds. No unit's plausible dates overlap with another's.
  private static final double SECONDS_BELOW = 1e11;
  private static final double MILLIS_BELOW = 1e14;
  private static final double MICROS_BELOW = 1e17;

  // Ids, metrics, units and locations become tags and index keys: a longer one would be refused by a store, for ever.
  private static final int LONGEST_NAME = 512;
  private static final int MOST_METRICS = 10_000;

  private static final JsonFactory JSON = JsonFactory.builder()
      .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS) // NaN is refused as not finite, not as malformed
      .build()
      .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION);

  /** (byte[], Long, Integer) -> Row; untyped, as Janino makes no bridges from typed methods. */
  public Object call(Object message, Object received, Object largest) {
    return judge((byte[]) message, ((Long) received).longValue(), ((Integer) largest).intValue());
  }

  /** What a valid message says; null of one that is rejected. */
  static Fields valid(byte[] message, long received, int largest) {
    Fields fields = new Fields();
    return reason(message, received, largest, fields) == null ? fields : null;
  }

  private static Row judge(byte[] message, long received, int largest) {
    Fields fields = new Fields();
    String reason = reason(message, received, largest, fields);
    if (reason != null) {
      return RowFactory.create(new Object[] {reason, null, null, null, null, null, null});
    }
    return RowFactory.create(new Object[] {
        null, fields.device(), fields.sensor(), Long.valueOf(fields.micros), fields.location(), fields.unit(),
        fields.measurements()});
  }

  /** Why a message is no reading, or null; `fields` are filled. */
  private static String reason(byte[] message, long received, int largest, Fields fields) {
    if (message == null || message.length == 0) {
      return "malformed";
    }
    if (message.length > largest) {
      return "oversize";
    }
    return read(message, fields) ? fields.reason(received) : "malformed";
  }

  /** Reads one JSON object with nothing behind it; false where the bytes are anything else. */
  private static boolean read(byte[] message, Fields fields) {
    JsonParser parser = null;
    try {
      if (otherEncoding(message) || !utf8(message)) {
        return false;
      }
      parser = JSON.createParser(message);
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        return false;
      }
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        fields.take(name, parser.nextToken(), parser);
      }
      return parser.nextToken() == null;
    } catch (java.io.IOException malformed) {
      return false;
    } finally {
      close(parser);
    }
  }

  /** UTF-16 or UTF-32, which the parser would read as well: an object in UTF-8 has none of these bytes at its beginning. */
  private static boolean otherEncoding(byte[] message) {
    int first = message[0] & 0xff;
    int second = message.length > 1 ? message[1] & 0xff : first;
    return first == 0 || second == 0 || first >= 0xfe;
  }

  /**
   * Whether the bytes are UTF-8 as Unicode's table 3-7 has it. The parser asks less: it takes longer spellings of a
   * character and halves of surrogate pairs, so that a name could get past whoever compared its bytes.
   */
  private static boolean utf8(byte[] message) {
    int size = message.length;
    int at = 0;
    while (at < size) {
      int lead = message[at++];
      if (lead >= 0) {
        continue;
      }
      lead &= 0xff;
      int more = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
      if (more == 0 || size - at < more) {
        return false;
      }
      int second = message[at] & 0xff;
      int least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
      int most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
      if (second < least || second > most) {
        return false;
      }
      for (int place = at + 1; place < at + more; place++) {
        if ((message[place] & 0xc0) != 0x80) {
          return false;
        }
      }
      at += more;
    }
    return true;
  }

  /** The text as it is; half a surrogate pair is no character, and would be stored as another. */
  private static String whole(String text) throws java.io.IOException {
    int length = text.length();
    for (int i = 0; i < length; i++) {
      char unit = text.charAt(i);
      if (Character.isSurrogate(unit)) {
        if (Character.isLowSurrogate(unit) || i + 1 == length || !Character.isLowSurrogate(text.charAt(i + 1))) {
          throw new java.io.IOException("half a surrogate pair");
        }
        i++;
      }
    }
    return text;
  }

  private static void close(JsonParser parser) {
    try {
      if (parser != null) {
        parser.close();
      }
    } catch (java.io.IOException impossible) {
      throw new IllegalStateException(impossible); // the input is an array
    }
  }

  /** A text or the lack of one, and whether something else stood in its place. The empty text names nothing. */
  private static final class Text {
    String value;
    boolean wrong;
    boolean tooLong;

    void take(JsonToken token, JsonParser parser) throws java.io.IOException {
      if (token == JsonToken.VALUE_STRING) {
        String text = whole(parser.getText());
        value = text.isEmpty() ? null : text;
        tooLong = text.length() > LONGEST_NAME;
      } else if (token != JsonToken.VALUE_NULL) {
        wrong = true;
        parser.skipChildren();
      }
    }
  }

  /** The fields of a message as they are read, and the verdict on them. */
  static final class Fields {
    final Text device = new Text();
    final Text sensor = new Text();
    final Text metric = new Text();
    final Text location = new Text();
    final Text unit = new Text();
    final Text metaLocation = new Text();
    final Text metaUnit = new Text();
    boolean single;
    boolean hasTimestamp;
    boolean wrongTimestamp;
    boolean hasMicros;
    long micros;
    boolean hasValue;
    boolean wrongValue;
    double value;
    List metrics = new ArrayList(4);
    String wrongMetric;
    boolean namelessMetric;
    boolean tooLongMetric;
    boolean notFinite;

    void take(String name, JsonToken token, JsonParser parser) throws java.io.IOException {
      if (name.equals("device_id")) {
        device.take(token, parser);
      } else if (name.equals("sensor_id")) {
        sensor.take(token, parser);
      } else if (name.equals("timestamp")) {
        takeTimestamp(token, parser);
      } else if (name.equals("metric")) {
        single = true;
        metric.take(token, parser);
      } else if (name.equals("value")) {
        single = true;
        takeValue(token, parser);
      } else if (name.equals("meta")) {
        takeMeta(token, parser);
      } else if (name.equals("location")) {
        location.take(token, parser);
      } else if (name.equals("unit")) {
        unit.take(token, parser);
      } else {
        takeMetric(name, token, parser);
      }
    }

    private void takeTimestamp(JsonToken token, JsonParser parser) throws java.io.IOException {
      hasTimestamp = token != JsonToken.VALUE_NULL;
      if (token == JsonToken.VALUE_STRING) {
        fromText(parser.getText());
      } else if (token.isNumeric()) {
        fromNumber(parser.getDoubleValue());
      } else if (hasTimestamp) {
        wrongTimestamp = true;
        parser.skipChildren();
      }
    }

    private void fromText(String text) {
      micros = Iso.micros(text);
      hasMicros = micros != Iso.NONE;
    }

    private void fromNumber(double number) {
      double size = Math.abs(number);
      hasMicros = size < MICROS_BELOW;
      if (hasMicros) {
        micros = Math.round(size < SECONDS_BELOW ? number * 1e6 : size < MILLIS_BELOW ? number * 1e3 : number);
      }
    }

    private void takeValue(JsonToken token, JsonParser parser) throws java.io.IOException {
      hasValue = token != JsonToken.VALUE_NULL;
      if (token.isNumeric()) {
        value = parser.getDoubleValue();
      } else if (hasValue) {
        wrongValue = true;
        parser.skipChildren();
      }
    }

    private void takeMeta(JsonToken token, JsonParser parser) throws java.io.IOException {
      if (token != JsonToken.START_OBJECT) {
        parser.skipChildren();
        return;
      }
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken held = parser.nextToken();
        if (name.equals("location")) {
          metaLocation.take(held, parser);
        } else if (name.equals("unit")) {
          metaUnit.take(held, parser);
        } else {
          parser.skipChildren();
        }
      }
    }

    private void takeMetric(String name, JsonToken token, JsonParser parser) throws java.io.IOException {
      if (token.isNumeric()) {
        double measured = parser.getDoubleValue();
        notFinite = notFinite || !finite(measured);
        namelessMetric = namelessMetric || name.isEmpty();
        tooLongMetric = tooLongMetric || name.length() > LONGEST_NAME;
        metrics.add(RowFactory.create(new Object[] {whole(name), Double.valueOf(measured)}));
      } else if (token != JsonToken.VALUE_NULL) {
        tooLongMetric = tooLongMetric || name.length() > LONGEST_NAME; // the reason will name it
        wrongMetric = wrongMetric == null ? name : wrongMetric;
        parser.skipChildren();
      }
    }

    private static boolean finite(double number) {
      return !Double.isNaN(number) && !Double.isInfinite(number);
    }

    String device() {
      return device.value == null ? sensor.value : device.value;
    }

    String sensor() {
      return sensor.value == null ? device.value : sensor.value;
    }

    String location() {
      return metaLocation.value == null ? location.value : metaLocation.value;
    }

    String unit() {
      return !single ? null : metaUnit.value == null ? unit.value : metaUnit.value;
    }

    Object[] measurements() {
      return single
          ? new Object[] {RowFactory.create(new Object[] {metric.value, Double.valueOf(value)})}
          : metrics.toArray();
    }

    /** The first thing that is wrong, or null. */
    String reason(long received) {
      if (tooLong()) {
        return "oversize";
      }
      String field = wrongOrMissing();
      if (field != null) {
        return field;
      }
      if (single ? !finite(value) : notFinite) {
        return "non_finite_value";
      }
      if (!hasMicros) {
        return "bad_timestamp";
      }
      return micros > received + FUTURE ? "future_timestamp" : micros < received - TOO_OLD ? "too_old" : null;
    }

    private boolean tooLong() {
      boolean texts = device.tooLong || sensor.tooLong || location.tooLong || metaLocation.tooLong;
      return texts || metrics.size() > MOST_METRICS && !single || (single ? metric.tooLong || unit.tooLong || metaUnit.tooLong : tooLongMetric);
    }

    private String wrongOrMissing() {
      if (device.wrong) {
        return "wrong_type:device_id";
      }
      if (sensor.wrong) {
        return "wrong_type:sensor_id";
      }
      if (device() == null) {
        return single ? "missing_field:sensor_id" : "missing_field:device_id";
      }
      if (!hasTimestamp) {
        return "missing_field:timestamp";
      }
      if (wrongTimestamp) {
        return "wrong_type:timestamp";
      }
      return single ? wrongOrMissingValue() : wrongOrMissingMetrics();
    }

    private String wrongOrMissingValue() {
      if (metric.wrong) {
        return "wrong_type:metric";
      }
      if (metric.value == null) {
        return "missing_field:metric";
      }
      return !hasValue ? "missing_field:value" : wrongValue ? "wrong_type:value" : null;
    }

    private String wrongOrMissingMetrics() {
      if (wrongMetric != null) {
        return "wrong_type:" + wrongMetric;
      }
      return metrics.isEmpty() || namelessMetric ? "missing_field:metric" : null;
    }
  }

  /**
   * ISO 8601 with a zone: 2026-11-21T08:00[:00[.123456789]](Z|+01|+0100|+01:00), a blank in place of the T allowed.
   *
   * Read by hand, as the parser of java.time copies its state at each part that may be absent and took half of all the
   * time of a message.
   */
  private static final class Iso {
    static final long NONE = Long.MIN_VALUE;

    /** Microseconds since 1970, or NONE where the text names no instant. */
    static long micros(String text) {
      int end = text.length();
      if (end < 17 || text.charAt(4) != '-' || text.charAt(7) != '-' || text.charAt(13) != ':'
          || "Tt ".indexOf(text.charAt(10)) < 0) {
        return NONE;
      }
      int hour = digits(text, 11, 13);
      int minute = digits(text, 14, 16);
      int second = 0;
      long fraction = 0;
      int at = 16;
      if (text.charAt(at) == ':') {
        second = end < 20 ? -1 : digits(text, 17, 19);
        at = 19;
        if (at < end && text.charAt(at) == '.') {
          int first = ++at;
          while (at < end && at - first < 9 && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
          }
          fraction = at == first ? -1 : sixDigits(text, first, at);
        }
      }
      int offset = at < end ? offsetSeconds(text, at, end) : Integer.MIN_VALUE;
      long day = epochDay(digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10));
      if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || fraction < 0
          || offset == Integer.MIN_VALUE || day == NONE) {
        return NONE;
      }
      return (day * 86400L + hour * 3600L + minute * 60L + second - offset) * SECOND + fraction;
    }

    private static long epochDay(int year, int month, int day) {
      if (year < 0 || month < 0 || day < 0) {
        return NONE;
      }
      try {
        return LocalDate.of(year, month, day).toEpochDay();
      } catch (DateTimeException noSuchDay) {
        return NONE;
      }
    }

    private static int offsetSeconds(String text, int at, int end) {
      char sign = text.charAt(at);
      if (sign == 'Z' || sign == 'z') {
        return end == at + 1 ? 0 : Integer.MIN_VALUE;
      }
      int size = end - at;
      boolean colon = size == 6 && text.charAt(at + 3) == ':';
      if (sign != '+' && sign != '-' || size != 3 && size != 5 && !colon) {
        return Integer.MIN_VALUE;
      }
      int hours = digits(text, at + 1, at + 3);
      int minutes = size == 3 ? 0 : digits(text, end - 2, end);
      if (hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes > 18 * 60) {
        return Integer.MIN_VALUE;
      }
      return (sign == '-' ? -60 : 60) * (hours * 60 + minutes);
    }

    private static long sixDigits(String text, int first, int end) {
      long micros = 0;
      for (int place = 0; place < 6; place++) {
        micros = micros * 10 + (first + place < end ? text.charAt(first + place) - '0' : 0);
      }
      return micros;
    }

    /** The number in text[first, end), or -1 where one of them is no digit. */
    private static int digits(String text, int first, int end) {
      int number = 0;
      for (int at = first; at < end; at++) {
        char digit = text.charAt(at);
        if (digit < '0' || digit > '9') {
          return -1;
        }
        number = number * 10 + digit - '0';
      }
      return number;
    }
  }
}

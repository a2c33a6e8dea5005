package sensorlake;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.unsafe.hash.Murmur3_x86_32;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The valid readings of a partition's messages, one row a shard: what streaming/detect/step.py unpacks. A shard that no
 * device sends to has a row without readings, so that it learns what time it is elsewhere.
 *
 * A row for each reading would go through Spark's shuffle, its sort and its hand-over to Python one by one, which costs
 * more than to judge it.
 */
public final class Packer implements MapPartitionsFunction {

  private static final long serialVersionUID = 1L;
  private static final int SAMPLE = 127;
  private static final int HASH_SEED = 42; // Spark's own, as reshard.py divides the devices by Spark's function

  private final int[] shards;
  private final int largest;

  /** shards: their numbers, by place. largest: bytes of a message. */
  public Packer(int[] shards, int largest) {
    this.shards = shards;
    this.largest = largest;
  }

  /** Rows of value and microseconds received -> rows of shard, names, records and clock; untyped for Janino. */
  public Iterator call(Iterator messages) throws java.io.IOException {
    Pack[] packs = new Pack[shards.length];
    long[] times = new long[SAMPLE];
    int known = 0;
    while (messages.hasNext()) {
      Row message = (Row) messages.next();
      Decoder.Fields said = Decoder.valid((byte[]) message.get(0), message.getLong(1), largest);
      if (said != null) {
        int place = place(said.device());
        if (packs[place] == null) {
          packs[place] = new Pack();
        }
        packs[place].add(said);
        if (known < SAMPLE) {
          times[known++] = said.micros;
        }
      }
    }
    List rows = new ArrayList(packs.length);
    if (known > 0) {
      // The median of some, as one clock that is wrong must not tell the time.
      java.util.Arrays.sort(times, 0, known);
      Long clock = Long.valueOf(times[known / 2]);
      Pack nothing = new Pack();
      for (int place = 0; place < packs.length; place++) {
        Pack pack = packs[place] == null ? nothing : packs[place];
        rows.add(RowFactory.create(new Object[] {
            Integer.valueOf(shards[place]), pack.names(), pack.records(), clock}));
      }
    }
    return rows.iterator();
  }

  private int place(String device) {
    UTF8String text = UTF8String.fromString(device);
    int hash = Murmur3_x86_32.hashUnsafeBytes(text.getBaseObject(), text.getBaseOffset(), text.numBytes(), HASH_SEED);
    return Math.floorMod(hash, shards.length);
  }

  /** Readings of one shard. A record, little endian: device, sensor, metric (numbers into the names), micros, value. */
  private static final class Pack {
    static final int RECORD = 28;
    final Map devices = new LinkedHashMap();
    final Map sensors = new LinkedHashMap();
    final Map metrics = new LinkedHashMap();
    ByteBuffer records = ByteBuffer.allocate(4096 * RECORD).order(ByteOrder.LITTLE_ENDIAN);

    void add(Decoder.Fields said) {
      int device = number(devices, said.device());
      int sensor = number(sensors, said.sensor());
      Object[] measurements = said.measurements();
      for (int i = 0; i < measurements.length; i++) {
        Row measured = (Row) measurements[i];
        if (records.remaining() < RECORD) {
          records = ByteBuffer.allocate(2 * records.capacity()).order(ByteOrder.LITTLE_ENDIAN)
              .put(records.array(), 0, records.position());
        }
        records.putInt(device).putInt(sensor).putInt(number(metrics, measured.getString(0)));
        records.putLong(said.micros).putDouble(measured.getDouble(1));
      }
    }

    byte[] records() {
      return java.util.Arrays.copyOf(records.array(), records.position());
    }

    /** JSON: {"devices": [..], "sensors": [..], "metrics": [..]}. */
    byte[] names() throws java.io.IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      JsonGenerator json = new JsonFactory().createGenerator(bytes);
      json.writeStartObject();
      write(json, "devices", devices.keySet());
      write(json, "sensors", sensors.keySet());
      write(json, "metrics", metrics.keySet());
      json.writeEndObject();
      json.close();
      return bytes.toByteArray();
    }

    private static int number(Map names, String name) {
      Integer found = (Integer) names.get(name);
      if (found == null) {
        found = Integer.valueOf(names.size());
        names.put(name, found);
      }
      return found.intValue();
    }

    private static void write(JsonGenerator json, String field, Collection names) throws java.io.IOException {
      json.writeArrayFieldStart(field);
      for (Iterator each = names.iterator(); each.hasNext();) {
        json.writeString((String) each.next());
      }
      json.writeEndArray();
    }
  }
}

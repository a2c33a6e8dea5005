package sensorlake;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.slf4j.LoggerFactory;

/**
 * The limits of a device and metric, else those of the metric for any device, else null. They stand in a file of JSON
 * lines, which streaming/limits.py replaces as a whole; a new one is in force within a second of that.
 *
 * A join would read and plan the file anew at each batch, for which alerts would wait, and know no newer one within it.
 */
public final class Limits implements UDF2<Object, Object, Object> {

  private static final long serialVersionUID = 1L;
  private static final long LOOK_NANOS = 1000000000L;
  private static final JsonFactory JSON = new JsonFactory();
  private static final Map FILES = new ConcurrentHashMap(); // each task has a Limits of its own, and all have one file

  private final String path;
  private final String anyDevice;
  private final String[] figures;
  private transient File file;

  /** anyDevice: stands for every device without a row. figures: names of the numbers in a row, before its version. */
  public Limits(String path, String anyDevice, String[] figures) {
    this.path = path;
    this.anyDevice = anyDevice;
    this.figures = figures;
  }

  /**
   * As a function of Spark. What it answers changes with the file; one that does not change Spark would call anew for
   * each use of an answer. Chosen here and not from Python, whose bridge finds two functions `udf` that fit as well as
   * each other and takes whichever Java names first, in some processes the one for Scala's closures, which Spark refuses.
   */
  public UserDefinedFunction changing(DataType shape) {
    return functions.udf((UDF2) this, shape).asNondeterministic();
  }

  /** (String, String) -> Row; untyped, as Janino makes no bridges from typed methods. */
  public Object call(Object device, Object metric) throws IOException {
    if (metric == null) {
      return null;
    }
    if (file == null) {
      File fresh = new File(Paths.get(path), figures);
      Object known = FILES.putIfAbsent(path, fresh);
      file = known == null ? fresh : (File) known;
    }
    Map limits = file.current();
    Object own = find(limits, device, metric);
    return own == null ? find(limits, anyDevice, metric) : own;
  }

  private static Object find(Map limits, Object device, Object metric) {
    Map byMetric = (Map) limits.get(device);
    return byMetric == null ? null : byMetric.get(metric);
  }

  /** A file and what it held when it was looked at last. */
  private static final class File implements Runnable {
    final Path path;
    final String[] figures;
    final AtomicBoolean busy = new AtomicBoolean();
    volatile Map limits;
    volatile long lookAt;
    volatile String seen;

    File(Path path, String[] figures) {
      this.path = path;
      this.figures = figures;
    }

    /** Device -> metric -> Row. The first time it is read at once, later on beside the alerts. */
    Map current() throws IOException {
      if (limits == null) {
        synchronized (this) {
          if (limits == null) {
            take();
          }
        }
      } else if (System.nanoTime() - lookAt >= 0 && busy.compareAndSet(false, true)) {
        lookAt = System.nanoTime() + LOOK_NANOS;
        Thread thread = new Thread(this, "limits");
        thread.setDaemon(true);
        thread.start();
      }
      return limits;
    }

    public void run() {
      try {
        if (!stamp().equals(seen)) {
          take();
        }
      } catch (Exception error) { // what is no JSON, too
        LoggerFactory.getLogger("sensorlake").error("limits refused, the last good ones stay in force: " + error);
      } finally {
        busy.set(false);
      }
    }

    private void take() throws IOException {
      seen = stamp();
      limits = read();
      lookAt = System.nanoTime() + LOOK_NANOS;
    }

    private String stamp() throws IOException {
      BasicFileAttributes found = Files.readAttributes(path, BasicFileAttributes.class, new java.nio.file.LinkOption[0]);
      return found.lastModifiedTime() + " " + found.fileKey() + " " + found.size();
    }

    private Map read() throws IOException {
      Map found = new HashMap();
      Map metrics = new HashMap(); // a metric's name is one object, however many devices have it
      JsonParser parser = JSON.createParser(path.toFile());
      try {
        while (parser.nextToken() != null) {
          row(parser, found, metrics);
        }
      } finally {
        parser.close();
      }
      return found;
    }

    private void row(JsonParser parser, Map found, Map metrics) throws IOException {
      String device = null;
      String metric = null;
      Object[] values = new Object[figures.length + 1];
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.getCurrentName();
        JsonToken token = parser.nextToken();
        if (name.equals("device_id")) {
          device = parser.getText();
        } else if (name.equals("metric")) {
          metric = parser.getText();
        } else if (name.equals("version")) {
          values[figures.length] = Long.valueOf(parser.getLongValue());
        } else if (token != JsonToken.VALUE_NULL) {
          values[place(name)] = Double.valueOf(parser.getDoubleValue());
        }
      }
      if (!metrics.containsKey(metric)) {
        metrics.put(metric, metric);
      }
      Map byMetric = (Map) found.get(device);
      if (byMetric == null) {
        byMetric = new HashMap(4);
        found.put(device, byMetric);
      }
      byMetric.put(metrics.get(metric), RowFactory.create(values));
    }

    private int place(String name) throws IOException {
      for (int place = 0; place < figures.length; place++) {
        if (figures[place].equals(name)) {
          return place;
        }
      }
      throw new IOException("a row with an unknown field: " + name);
    }
  }
}

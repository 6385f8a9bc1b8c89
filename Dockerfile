# The app for strangers, on CPUs. How it is built and what it expects: docs/hosting.md
FROM python:3.12-slim

# The index of PyTorch's CPU wheels, as its own page of instructions names it. Left empty, the usual
# index is asked, whose wheels for Linux bring several gigabytes for GPUs along.
ARG TORCH_INDEX=""

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
        "torch>=2.6,<3" "torchvision>=0.21,<1" \
    && pip install --no-cache-dir -r requirements.txt "psycopg[binary]>=3.2,<4"

COPY .streamlit .streamlit
COPY models_cache models_cache
COPY core core
COPY ui ui
COPY pages pages
COPY app.py .

RUN useradd --create-home --uid 1000 lab && mkdir /data && chown lab /data
USER lab
VOLUME /data

ENV FORGETTING_LAB_HOSTED=1 \
    FORGETTING_LAB_CACHE=/data \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true \
    # No file is taken from visitors; the server's own route for uploads is held to this as well.
    STREAMLIT_SERVER_MAX_UPLOAD_SIZE=1 \
    PYTHONUNBUFFERED=1

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py"]
